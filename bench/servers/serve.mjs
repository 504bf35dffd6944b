// The protocol of a benchmarked engine: one JSON request per line in, one JSON answer per line out.
//
// A request names a task, and what it needs; an answer holds what the task returned and, as read after it, the peak
// resident memory of the process. Libraries may print what they like: lines that are no JSON object are ignored.

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

/** The wall-clock time of `fn`, how many cores it kept busy, and what it returned. */
export async function timed(fn) {
  const cpu = process.cpuUsage()
  const started = performance.now()
  const value = await fn()
  const ms = performance.now() - started
  const { user, system } = process.cpuUsage(cpu)
  return { ms, busyCores: (user + system) / 1000 / ms, value }
}
