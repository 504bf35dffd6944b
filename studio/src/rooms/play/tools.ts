/**
 * The tools of Play, and its speeds.
 */
import type { Touch } from './world.ts'

export type Tool = Touch['tool']

export const tools: readonly (readonly [Tool, string])[] = [
  ['erase', 'Erase'], ['circle', 'Circle'], ['half', 'Half'], ['seed', 'Seed'], ['paint', 'Paint'],
]

/** What each tool does, in words. */
export const meanings: Readonly<Record<Tool, string>> = {
  erase: 'Drag over the cells to hurt them, and see what grows back.',
  circle: 'Click to erase a large circle.',
  half: 'Click to cut off what lies beyond the pointer.',
  seed: 'Click to plant one living cell.',
  paint: 'Drag to paint living cells of a colour.',
}

/** The speeds, in steps a second; Infinity is as fast as possible. */
export const speeds: readonly number[] = [1, 2, 5, 10, 20, 30, 60, 120, 240, 480, Infinity]

/** How far a tool reaches around a cell, in cells; null if its reach is not a circle. */
export function reachOf(tool: Tool, brush: number, size: number): number | null {
  if (tool === 'half') return null
  if (tool === 'seed') return 0.5
  return tool === 'circle' ? Math.max(2, Math.round(size / 8)) : brush / 2
}

/** A colour like '#1fa055' as so many of red, green, blue and alpha, from 0 to 1; as one number it is grey, their mean. */
export function paintOf(colour: string, numbers: number): number[] {
  const rgb = [1, 3, 5].map(i => Number.parseInt(colour.slice(i, i + 2), 16) / 255)
  return numbers === 1 ? [(rgb[0] + rgb[1] + rgb[2]) / 3] : [...rgb, 1].slice(0, numbers)
}
