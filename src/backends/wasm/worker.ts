/**
 * The program of a worker. It is bundled into `generated.ts` by scripts/build-kernels.mjs, so that it runs wherever the
 * library does: from its sources, built, or bundled into another program.
 */
import { instantiate } from './kernels.ts'
import { participant, type Message } from './participant.ts'
import { serve } from './threads.ts'

serve(({ module, memory, index, cacheBytes }) => {
  const hear = participant(memory, instantiate(module, memory), index, cacheBytes)
  return message => hear(message as Message)
})
