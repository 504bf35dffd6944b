/**
 * How well models grow from addresses: `npm run bench:links`.
 *
 * Each bundled model goes through `encodeLink` and `decodeLink` with several numbers of bits per weight, and is grown from its
 * seed on the grid of its training. Writes docs/results/links.md: log10 of the mean squared error of red, green, blue and
 * alpha after 200 steps, and the length of the text.
 */
import {
  decodeLink, encodeLink, fit, imageToTensor, key, mse, padImage, rgba, rollout, scope, seed, type DataParams,
} from '../src/index.ts'
import { bundledModels, emoji } from '../src/node/assets.ts'
import { writeFileAtomic } from '../src/node/atomic-file.ts'
import { readModel } from '../src/node/model.ts'

const bits = [4, 5, 6, 7, 8, 10]
const steps = 200

const row = (cells: readonly (string | number)[]): string => `| ${cells.join(' | ')} |`
const rows: string[] = []
const lengths: number[] = []
let worst = 0 // the greatest increase of a model's log10 loss with the default bits

for (const { name, character, path } of await bundledModels()) {
  const model = await readModel(path)
  const { rule, provenance } = model
  const size = Number(provenance.grid)
  const target = imageToTensor(padImage(fit(await emoji(character), 40), (size - 40) / 2))
  const error = async (params: DataParams): Promise<string> => {
    const loss = scope(() => mse(rgba(rollout(rule, params, seed(rule, { height: size, width: size }), key(0), { steps })), target))
    return Math.log10(await loss.item()).toFixed(2)
  }
  const cells: string[] = []
  for (const [i, n] of bits.entries()) {
    const text = await encodeLink(model, { bits: n })
    lengths[i] = text.length
    cells.push(await error(decodeLink(text).params))
  }
  const whole = await error(model.params)
  worst = Math.max(worst, Number(cells[bits.indexOf(8)]) - Number(whole))
  rows.push(row([character, name, ...cells, whole]))
  console.log(rows.at(-1))
}

const head = ['emoji', 'name', ...bits.map(n => `${n} bits`), 'float32']
await writeFileAtomic('docs/results/links.md', `# Models in addresses

log10 of the mean squared error of red, green, blue and alpha, ${steps} steps after the seed, of the bundled models as they come
out of an address (\`encodeLink\`) with so many bits a weight, and as they are. Written by \`npm run bench:links\`.

${row(head)}
${row(head.map(() => '---'))}
${rows.join('\n')}
${row(['', 'characters', ...lengths, ''])}

8 bits are the default: no model is worse by more than ${worst.toFixed(2)}.
`)
