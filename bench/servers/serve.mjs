// The protocol of a benchmarked engine: one JSON request per line in, one JSON answer per line out.
//
// A request has the name of a task and its arguments; an answer has the result of the task and the peak resident memory of
// the process after it. Libraries may print anything: lines that are no JSON object are ignored.

import { createInterface } from 'node:readline'

/** Answers requests with `tasks[request.task](request)` until the input ends. */
export async function serve(tasks) {
  for await (const line of createInterface({ input: process.stdin })) {
    const request = JSON.parse(line)
    let answer
    try {
      answer = await tasks[request.task](request)
    } catch (error) {
      answer = { error: error.message }
    }
    process.stdout.write(JSON.stringify({ ...answer, rssMB: process.resourceUsage().maxRSS / 1024 }) + '\n')
  }
  process.exit(0)
}

/** The wall-clock time of `fn`, how many cores it kept busy, and its result. */
export async function timed(fn) {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const value = await fn()
  const ms = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  return { ms, busyCores: (user + system) / 1000 / ms, value }
}
