/**
 * Decoders of pictures that were written in C and compiled to WebAssembly.
 *
 * Each picture gets an instance of its own: its memory begins as zeros, holds nothing but this picture, and goes with
 * it, also where the decoder gives up in the middle. Whatever a damaged file makes the decoder do, it cannot reach
 * beyond that memory.
 */
import { readFileSync } from 'node:fs'

const modules = new Map<string, WebAssembly.Module>()

/** A decoder with fresh memory. */
export type Codec = {
  /** Calls an exported function; pointers and numbers are 32 bits. */
  call(name: string, ...args: number[]): number
  /** Room for so many bytes. */
  allocate(bytes: number): number
  /** The bytes, in its memory. */
  put(bytes: Uint8Array): number
  /** A view of its memory, until it next allocates. */
  view(at: number, bytes: number): Uint8Array
  u32(at: number): number
}

/** A new instance of the module in this file. */
export function openCodec(file: string): Codec {
  const module = modules.get(file) ?? new WebAssembly.Module(readFileSync(file))
  modules.set(file, module)
  const { exports } = new WebAssembly.Instance(module, noSystem(module))
  const memory = exports['memory'] as WebAssembly.Memory
  const codec: Codec = {
    call: (name, ...args) => (exports[name] as (...args: number[]) => number)(...args) >>> 0,
    allocate: bytes => {
      const at = codec.call('malloc', bytes)
      if (at === 0) throw new RangeError(`there is no memory for ${bytes} bytes`)
      return at
    },
    put: bytes => {
      const at = codec.allocate(bytes.length)
      codec.view(at, bytes.length).set(bytes)
      return at
    },
    view: (at, bytes) => new Uint8Array(memory.buffer, at, bytes),
    u32: at => new DataView(memory.buffer).getUint32(at, true),
  }
  return codec
}

/** What the modules ask of a system: nothing but to go on. An error ends the call (C's longjmp), and the instance. */
function noSystem(module: WebAssembly.Module): WebAssembly.Imports {
  const imports: Record<string, Record<string, () => number>> = {}
  for (const { module: from, name } of WebAssembly.Module.imports(module)) {
    imports[from] ??= {}
    imports[from][name] = ['setjmp', 'environ_sizes_get'].includes(name)
      ? () => 0
      : () => { throw new Error('it gave up') }
  }
  return imports
}

/** What is said of a file that a decoder did not decode. Its own words would explain nothing. */
export function whyNot(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause) return 'cannot be read, since its decoder is not installed; npm install brings it' // Node's own
  return cause instanceof RangeError
    ? 'takes more memory than there is'
    : 'is damaged: something in its pixels is missing or wrong'
}
