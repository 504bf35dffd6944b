/**
 * Timing by rounds. Other programs, or other guests of the same hardware, can halve the speed of a core for minutes, so
 * times from different minutes cannot be compared. All contenders take turns, round by round; ratios are taken within
 * a round. The cores' peak speed is probed before and after each round, and a disturbed round is repeated.
 */
import type { Probe } from './machine.ts'
import type { Answer, Request, Server } from './server.ts'

export type Contender = {
  readonly server: Server
  readonly request: Request
  /** The factor of its times, if it timed only a part of the steps. */
  readonly scale: number
}

export type Round = {
  /** GFLOP/s of all cores at once, the lower of before and after; NaN if it is not measured. */
  readonly peak: number
  /** In the order of the contenders, times scaled. */
  readonly answers: readonly Answer[]
}

/** The fraction of the fastest probe that a round must reach to count. */
const calm = 0.85

/**
 * Lets the contenders take turns until `count` calm rounds are done, or twice as many in all. Each runs once to warm up before
 * the first round and, with `warm`, once untimed before each of its times (idle thread pools are slow).
 */
export async function takeTurns(
  contenders: readonly Contender[], count: number, probe: Probe, warm: boolean,
): Promise<Round[]> {
  for (const { server, request } of contenders) await server.ask(request)
  const rounds: Round[] = []
  const good = (): Round[] => {
    const best = Math.max(...rounds.map(round => round.peak))
    return rounds.filter(round => !(round.peak < calm * best))
  }
  while (good().length < count && rounds.length < 2 * count) {
    const before = await probe()
    const answers: Answer[] = []
    for (const { server, request, scale } of contenders) {
      if (warm) await server.ask(request)
      const answer = await server.ask(request)
      answers.push({ ...answer, ms: answer.ms * scale })
    }
    const peak = Math.min(before, await probe())
    rounds.push({ peak, answers })
    console.log(`  peak ${peak.toFixed()} GFLOP/s, ms ${answers.map(({ ms }) => ms.toPrecision(3)).join(' ')}`)
  }
  return good()
}

export type Spread = { readonly median: number; readonly min: number; readonly max: number }

export function spread(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]]
  return { median: (low + high) / 2, min: sorted[0], max: sorted.at(-1)! }
}
