/**
 * How good the bundled models of emoji are: `npm run bench:models`.
 *
 * Each is grown from its seed on the grid of its training. The mean squared error of red, green, blue and alpha is measured
 * over 2,000 steps, and again after a circle was erased at step 200. Writes docs/results/models.md and .csv, and
 * pictures: how each one grows and persists (models-growth.png), how each repairs itself (models-repair.png), and all of
 * them grown (docs/images/emoji.png).
 */
import {
  damageMask, erase, filmStrip, fit, foldIn, imageToTensor, key, mse, padImage, rgba, rollout, scope, seed,
  tensorToImage, upscale, type DataParams, type DataRule, type Image, type Tensor,
} from '../src/index.ts'
import { visibleCircle } from '../src/node/animation.ts'
import { bundledModels, emoji } from '../src/node/assets.ts'
import { writeFileAtomic } from '../src/node/atomic-file.ts'
import { readModel } from '../src/node/model.ts'
import { writePng } from '../src/node/pictures/png.ts'

const kept = [24, 48, 96, 200, 500, 1000, 2000]
const damagedAt = 200
const repaired = [201, 220, 260, 320, 400]
const grown = 200

const lines: string[] = []
const growth: Image[] = [], repair: Image[] = [], portraits: Image[] = []

for (const { name, character, path } of (await bundledModels()).filter(model => model.character)) {
  const { rule, params, provenance } = await readModel(path)
  const size = Number(provenance.grid)
  const picture = await emoji(character)
  const target = imageToTensor(padImage(fit(picture, 40), (size - 40) / 2))

  const errors: number[] = []
  let [x, t]: [Tensor, number] = [seed(rule as DataRule, { height: size, width: size }), 0]
  async function growTo(step: number, pictures: Image[]): Promise<void> {
    x = rollout(rule as DataRule, params as DataParams, x, key(0), { steps: step - t, from: t })
    t = step
    errors.push(await scope(() => mse(rgba(x), target)).item())
    pictures.push(upscale(await tensorToImage(x), 2))
  }
  let whole: Tensor | null = null
  for (const step of kept) {
    await growTo(step, growth)
    if (step === grown) {
      whole = x
      portraits.push(upscale(await tensorToImage(x), 2))
    }
  }
  [x, t] = [erase(whole!, damageMask(foldIn(key(0), 1), visibleCircle, 1, size, size)), damagedAt]
  for (const step of repaired) await growTo(step, repair)
  lines.push([character, name, provenance.iterations, ...errors.map(e => Math.log10(e).toFixed(2))].join(','))
  console.log(lines.at(-1))
}

const columns = ['emoji', 'name', 'iterations', ...kept.map(n => `step ${n}`), ...repaired.map(n => `damaged, ${n}`)]
const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
await writeFileAtomic('docs/results/models.csv', `${[columns.join(','), ...lines].join('\n')}\n`)
await writeFileAtomic('docs/results/models.md', `# The bundled models

log10 of the mean squared error of red, green, blue and alpha, on 72×72 cells: as the pattern grows from one cell and
lasts, and after a circle was erased at step ${damagedAt}. Iterations are those of the last training
([how each was trained](../../assets/models/README.md)). Written by \`npm run bench:models\`.

${[row(columns), row(columns.map(() => '---')), ...lines.map(line => row(line.split(',')))].join('\n')}

After ${kept.join(', ')} steps:

![growth](models-growth.png)

${repaired.map(n => n - damagedAt).join(', ')} steps after the damage:

![repair](models-repair.png)
`)
await writePng('docs/results/models-growth.png', filmStrip(growth, { columns: kept.length, gap: 4 }))
await writePng('docs/results/models-repair.png', filmStrip(repair, { columns: repaired.length, gap: 4 }))
await writePng('docs/images/emoji.png', filmStrip(portraits, { columns: 5, gap: 4 }))
