/**
 * The page's side of the language worker: questions are functions that promise their answer.
 *
 *   const mistakes = await ask('mistakes', text)
 */
import type { Answers, Question } from './language.ts'

let worker: Worker | null = null
const waiting = new Map<number, (result: unknown) => void>()
let questions = 0

function begin(): Worker {
  const started = new Worker(new URL('./language.ts', import.meta.url), { type: 'module' })
  started.addEventListener('message', ({ data: { id, result } }: MessageEvent<{ id: number; result: unknown }>) => {
    waiting.get(id)!(result)
    waiting.delete(id)
  })
  return started
}

/** Asks about a script; the first question starts the worker. */
export function ask<N extends keyof Answers>(name: N, ...args: Parameters<Answers[N]> extends [] ? [text: string] : Parameters<Answers[N]>): Promise<ReturnType<Answers[N]>> {
  worker ??= begin()
  const id = questions++
  worker.postMessage({ id, name, args: args as unknown as Question['args'] } satisfies Question)
  return new Promise(resolve => { waiting.set(id, resolve as (result: unknown) => void) })
}
