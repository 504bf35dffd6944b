/**
 * Picture decoders that were written in C and compiled to WebAssembly.
 *
 * Each picture gets a new instance: its memory begins as zeros, contains nothing but this picture, and is freed with
 * it, even if the decoder gives up half-way. Whatever a damaged file makes the decoder do, it cannot reach
 * beyond that memory.
 */
import { readFileSync } from 'node:fs'

const modules = new Map<string, WebAssembly.Module>()

/** A decoder with fresh memory. */
export type Codec = {
  /** Calls an exported function; pointers and numbers are 32 bits. */
  call(name: string, ...args: number[]): number
  /** Allocates so many bytes and returns their address. */
  allocate(bytes: number): number
  /** Copies bytes into its memory and returns their address. */
  put(bytes: Uint8Array): number
  /** A view of its memory, valid until it next allocates. */
  view(at: number, bytes: number): Uint8Array
  /** The 32-bit number at an address. */
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

/** Stubs of the system functions that the modules import. A real request ends the call, as C's longjmp would, and the instance. */
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

/** Why a decoder could not decode a file, in words; the decoder's own message would explain nothing. */
export function whyNot(cause: unknown): string {
  if (cause instanceof Error && 'code' in cause) return 'cannot be read, since its decoder is not installed; npm install brings it' // Node's own
  return cause instanceof RangeError
    ? 'takes more memory than there is'
    : 'is damaged: something in its pixels is missing or wrong'
}
