/**
 * The store: where a rollout keeps what its backward pass will read.
 *
 * A history is many small pieces, written once and freed together, and it may exceed the 4 GB that WebAssembly can
 * address. So it lives in ordinary memory, in chunks of half a megabyte that are filled from front to back and reused
 * when all their pieces are freed: a training run touches the same chunks in every iteration. Logs and states have
 * separate chunks, since a state that outlives the logs around it would keep their chunk in use.
 */

const chunkBytes = 2 ** 19

type Chunk = { readonly bytes: Uint8Array; used: number; pieces: number }

type Kind = 'log' | 'state'

/** Contiguous bytes in the store. */
export type Piece = { readonly chunk: Chunk; readonly at: number; readonly size: number }

export class Store {
  private readonly current: Record<Kind, Chunk | null> = { log: null, state: null }
  private readonly spare: Chunk[] = []
  /** Bytes of the pieces that are kept now. */
  kept = 0

  /** Copies bytes into the store. */
  write(kind: Kind, source: Uint8Array, from: number, size: number): Piece[] {
    const pieces: Piece[] = []
    for (let done = 0; done < size;) {
      const part = Math.min(chunkBytes, size - done)
      let chunk = this.current[kind]
      if (!chunk || chunk.used + part > chunkBytes) {
        chunk = this.spare.pop() ?? { bytes: new Uint8Array(chunkBytes), used: 0, pieces: 0 }
        this.current[kind] = chunk
      }
      chunk.bytes.set(source.subarray(from + done, from + done + part), chunk.used)
      pieces.push({ chunk, at: chunk.used, size: part })
      chunk.used += part
      chunk.pieces++
      done += part
    }
    this.kept += size
    return pieces
  }

  /** Copies pieces back, one after the other. */
  read(pieces: readonly Piece[], target: Uint8Array, to: number): void {
    for (const { chunk, at, size } of pieces) {
      target.set(chunk.bytes.subarray(at, at + size), to)
      to += size
    }
  }

  free(pieces: readonly Piece[]): void {
    for (const { chunk, size } of pieces) {
      this.kept -= size
      chunk.pieces--
      if (chunk.pieces > 0) continue
      chunk.used = 0
      if (chunk !== this.current.log && chunk !== this.current.state) this.spare.push(chunk)
    }
  }

  /** Gives unused chunks back to the system. */
  trim(): void {
    this.spare.length = 0
  }
}
