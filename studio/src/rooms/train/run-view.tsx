/**
 * A run: its target and what it grows now, the curves, the batch and the pool, and the controls that change it.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Picture } from '../../ui/cells.tsx'
import { Chart } from '../../ui/chart.tsx'
import { Figure } from '../../ui/fields.tsx'
import { attempt, complain } from '../../ui/notice.tsx'
import { brief, minus } from '../../ui/numbers.ts'
import { Downloads } from './downloads.tsx'
import { Samples } from './samples.tsx'
import type { Sample } from './session.ts'
import type { Shown } from './train.tsx'

/** Slots of the pool that are shown at once. */
const shown = 48

export function RunView({ run, onReopen }: {
  run: Shown
  /** Opens the run again, as it is saved now. */
  onReopen: () => void
}): VNode {
  const { name, config, target, iteration, losses, norms, rates, perSecond, running, grown, batch, slots, elsewhere } = run
  const [pool, setPool] = useState<{ from: number; samples: readonly Sample[] } | null>(null)
  const [norm, rate] = [norms.at(-1), rates.at(-1)]
  const last = losses.slice(-10)

  function look(from: number): void {
    call('train', 'pool', from, shown).then(samples => setPool({ from, samples })).catch(complain)
  }
  useEffect(() => { if (pool) look(pool.from) }, [batch]) // an open pool is shown anew with each new batch

  return (
    <>
      <div class="pair">
        <figure class="framed"><Picture pixels={target} label={`The target: ${name}`} /><figcaption>what it should grow</figcaption></figure>
        <figure class="framed">{grown ? <Picture pixels={grown} label="What it grows now" /> : <div class="cells sheet" />}<figcaption>what it grows now</figcaption></figure>
      </div>
      {elsewhere ? (
        <div class="row">
          <button type="button" class="main" onClick={onReopen}>Look again</button>
          <p class="hint" role="status">Another tab has this run open, and trains it there; here it is as it was last saved.</p>
        </div>
      ) : <Hand run={run} onHurt={() => look(pool?.from ?? 0)} />}
      <dl class="figures">
        <Figure label={`of ${config.train.iterations} iterations`} value={String(iteration)} />
        <Figure label="log₁₀ loss, last ten" value={last.length === 0 ? '–' : minus(Math.log10(last.reduce((a, b) => a + b) / last.length).toFixed(2))} />
        <Figure label="gradient norm" value={norm === undefined ? '–' : brief(norm)} />
        <Figure label="rate" value={rate === undefined ? '–' : brief(rate)} />
        <Figure label="iterations / s" value={running ? brief(perSecond) : '0'} />
      </dl>
      <Chart title="Loss" values={losses} log />
      <div class="charts">
        <Chart title="Gradient norm" values={norms} log />
        <Chart title="Learning rate" values={rates} />
      </div>
      {batch.length > 0 && <Samples title="The last batch, after its rollout" samples={batch} />}
      {slots > 0 && (pool ? <Samples title={`Slots ${pool.from} to ${pool.from + pool.samples.length - 1} of the pool`} samples={pool.samples} /> : null)}
      {slots > 0 && (
        <div class="row">
          <button type="button" onClick={() => look(0)}>{pool ? 'Look again' : 'Look into the pool'}</button>
          {pool && <button type="button" disabled={pool.from + shown >= slots} onClick={() => look(pool.from + shown)}>Next slots</button>}
        </div>
      )}
      <Downloads name={name} target={target} begun={config.train.from !== null} />
    </>
  )
}

/** The controls of a run: pause, learning rate, damage to the pool. */
function Hand({ run: { config, iteration, rates, running, slots }, onHurt }: { run: Shown; onHurt: () => void }): VNode {
  const [rate, setRate] = useState('')
  const done = iteration >= config.train.iterations
  return (
    <div class="row">
      <button type="button" class="main" disabled={done} onClick={() => { call('train', running ? 'pause' : 'goOn').catch(complain) }}>
        {done ? 'Done' : running ? 'Pause' : 'Go on'}
      </button>
      <form
        class="row" onSubmit={event => {
          event.preventDefault()
          void attempt('rate', call('train', 'rate', rate.trim()).then(() => setRate('')))
        }}
      >
        <input type="text" inputMode="decimal" class="short" aria-label="Another learning rate" placeholder={rates.length > 0 ? `rate ${brief(rates.at(-1)!)}` : 'rate'} value={rate} onInput={e => setRate(e.currentTarget.value)} />
        <button type="submit" disabled={rate === ''}>Set</button>
      </form>
      {slots > 0 && <button type="button" onClick={() => { call('train', 'hurt').then(onHurt).catch(complain) }}>Hurt the pool</button>}
    </div>
  )
}
