/**
 * An engine is a long-lived process that answers requests, one JSON object per line (servers/serve.mjs), so that its set-up
 * is done only once, and engines can take turns.
 */
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'

/** How an engine is started, and its description. */
export type Engine = {
  readonly name: string
  readonly command: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** The number of threads that it uses. */
  readonly threads: number
  /** The backend of cellgrad, sent with every request. */
  readonly backend?: Backend
  /** For a very slow engine: only this many steps are timed, and the time is scaled. */
  readonly fewSteps?: number
}

/** Options of cpu(); or the GPU, with fused rollouts or with only operators. */
export type Backend = {
  readonly webgpu?: 'fused' | 'composed'
  /** On the CPU: rollouts composed of operators. */
  readonly composed?: boolean
  readonly threads?: number
  readonly fma?: boolean
  readonly historyBytes?: number
  readonly simd?: boolean
}

export type Request = { readonly task: string; readonly [name: string]: unknown }

/** The result of a task; `rssMB` is the peak resident memory of the process so far. */
export type Answer = {
  readonly ms: number
  readonly rssMB: number
  readonly busyCores?: number
  /** The GPU's time in compute passes; null if it cannot be measured. */
  readonly gpuMs?: number | null
  readonly [name: string]: unknown
}

export type Server = {
  readonly engine: Engine
  ask(request: Request): Promise<Answer>
  stop(): void
}

/** Starts an engine. A request that fails, or the end of the process, rejects with one sentence that names the engine. */
export function startServer(engine: Engine): Server {
  const [program, ...args] = engine.command
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe'], env: { ...process.env, NODE_NO_WARNINGS: '1', ...engine.env },
  })
  let complaint = ''
  child.stderr.on('data', text => { complaint = (complaint + text).slice(-2000) })
  let pending: { resolve: (answer: Answer) => void; reject: (error: Error) => void } | null = null
  const fail = (why: string): void => pending?.reject(new Error(`${engine.name}: ${why}`))
  createInterface({ input: child.stdout }).on('line', line => {
    if (!line.startsWith('{')) return
    const answer = JSON.parse(line) as Answer & { error?: string }
    if (answer.error === undefined) pending?.resolve(answer)
    else fail(answer.error)
  })
  child.on('error', error => fail(error.message))
  child.on('exit', code => fail(`ended with ${code}\n${complaint}`))
  child.stdin.on('error', () => {}) // its end is reported by 'exit'
  return {
    engine,
    ask: request => new Promise((resolve, reject) => {
      pending = { resolve, reject }
      if (child.exitCode !== null) fail(`ended with ${child.exitCode}\n${complaint}`)
      child.stdin.write(JSON.stringify({ ...request, backend: request.backend ?? engine.backend }) + '\n')
    }),
    stop: () => void child.stdin.end(),
  }
}

/** Runs one task in a process of its own, so that its peak memory is that of this task. */
export async function askAlone(engine: Engine, request: Request): Promise<Answer> {
  const server = startServer(engine)
  try {
    return await server.ask(request)
  } finally {
    server.stop()
  }
}
