/**
 * An unrolled loop: the text for all values of its variables, which count from 0, the last one fastest.
 *
 * @example unrolled({ r: 2 }, 'let a{r} = b[{r}];')     // let a0 = b[0]; let a1 = b[1];
 */
export function unrolled(counts: Readonly<Record<string, number>>, text: string, separator = ' '): string {
  const texts = Object.entries(counts).reduce((all, [name, count]) => all.flatMap(each => (
    Array.from({ length: count }, (_, i) => each.replaceAll(`{${name}}`, String(i))))), [text])
  return texts.join(separator)
}
