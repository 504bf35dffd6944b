/**
 * The colours of classes wherever cells are drawn by class: in Studio, in exported pages, and in the pictures of results.
 *
 * The first seven are the hues of Okabe and Ito, which the colour-blind can tell apart too (Wong, "Points of view: Color
 * blindness", Nature Methods 8, 2011); three darker ones make ten, as many as there are digits. All can be seen on white
 * and on black.
 */
import type { Rgb } from './image.ts'

/**
 * Red, green and blue, from 0 to 1, of ten classes in order. With more classes, the colours repeat after ten.
 *
 * @example const [r, g, b] = classColours[number % classColours.length]
 */
export const classColours: readonly Rgb[] = ([
  [230, 159, 0], [86, 180, 233], [0, 158, 115], [240, 228, 66], [0, 114, 178], [213, 94, 0], [204, 121, 167], [136, 34, 85],
  [140, 86, 75], [153, 153, 153],
] as const).map(([r, g, b]) => [r / 255, g / 255, b / 255])
