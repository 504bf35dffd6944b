/** The part of gifenc that is used here; the package brings no types. */
declare module 'gifenc' {
  type Colour = [number, number, number]
  export function quantize(rgba: Uint8Array, maxColors: number): Colour[]
  export function applyPalette(rgba: Uint8Array, palette: Colour[]): Uint8Array
  export function GIFEncoder(): {
    writeFrame(index: Uint8Array, width: number, height: number, options: { palette?: Colour[]; delay: number }): void
    finish(): void
    bytes(): Uint8Array
  }
}
