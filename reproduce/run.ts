/**
 * `npm run reproduce -- NAME`: a published claim, reproduced with cellgrad, sized for two cores.
 *
 *   npm run reproduce                        lists the claims
 *   npm run reproduce -- pool                one of them; results go to docs/results/reproduce-pool*
 *   npm run reproduce -- all                 all of them
 *   … --quick                                few iterations, to check that it runs; results go to out/reproduce
 *   … --seeds 3                              one seed after another; numbers become mean ± standard deviation
 *   … --iterations 20000                     another number of iterations; each training continues a shorter one
 *   … --seed 1 --out FOLDER --data FOLDER    another first seed, results elsewhere, data sets elsewhere (`npm run data`)
 *
 * The times in the list are for one seed on two otherwise idle cores, extrapolated from few iterations. Running the same command
 * again continues an interrupted run, which is in runs/reproduce, as are the pictures of seeds other than the first. The models
 * of the first seed go to assets/claims; with --out or --quick, to the folder of the results.
 */
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { reproduceClothes } from './clothes.ts'
import { reproduceDepth } from './depth.ts'
import { reproduceDigits } from './digits.ts'
import { reproduceDigits3d } from './digits3d.ts'
import { writeCsv, writeText, type Context } from './lib/context.ts'
import { shipped } from './lib/models.ts'
import { rowsOf, textOf, type Report } from './lib/report.ts'
import { reproduceEdges } from './edges.ts'
import { reproduceGrowingMnist } from './growing-mnist.ts'
import { reproduceGuidance } from './guidance.ts'
import { reproduceInpaint } from './inpaint.ts'
import { reproduceLatent } from './latent.ts'
import { reproduceOptimisers } from './optimisers.ts'
import { reproducePerceptions } from './perceptions.ts'
import { reproducePool } from './pool.ts'
import { reproduceSegmentation } from './segmentation.ts'
import { reproduceTexture } from './texture.ts'
import { reproduceVideo } from './video.ts'

const claims: Readonly<Record<string, { what: string; run: (context: Context) => Promise<Report> }>> = {
  pool: { what: 'the sample pool turns negative recovery into positive (table 5); about 35 min', run: reproducePool },
  digits: { what: 'digits classify themselves, and notice when they change (table 3); needs MNIST; about 4 h', run: reproduceDigits },
  optimisers: { what: 'Muon needs fewer iterations than Adam; needs MNIST; about 15 min', run: reproduceOptimisers },
  clothes: { what: 'clothes classify themselves, by three rules (table 4 in kind); needs fashion-mnist; about 50 min', run: reproduceClothes },
  perceptions: { what: 'which of six perceptions recovers best (table 1); about 30 min', run: reproducePerceptions },
  texture: { what: 'textures that mend themselves, by two perceptions (section 3.2); needs textures; about 1¾ h', run: reproduceTexture },
  video: { what: 'a moving digit goes on moving, and can be read (figures 15, 16); needs MNIST; about 1½ h', run: reproduceVideo },
  edges: { what: 'from edges to pictures, sharper with a critic (figure 7 in kind); needs noto; about ½ h', run: reproduceEdges },
  'growing-mnist': { what: 'digits grow from a coloured cell, and vary with a critic (A.5); needs MNIST; about 1 h', run: reproduceGrowingMnist },
  guidance: { what: 'grown digits are guided by what they are told (A.5 in kind); needs MNIST; about 45 min', run: reproduceGuidance },
  latent: { what: 'emoji of 128² and 256² grow and heal in the latents of a VQ-VAE (figures 8 and 9, table 2); needs noto; about 1½ h', run: reproduceLatent },
  inpaint: { what: 'holes in emoji are filled in latents (figure 10 in kind); needs noto; about 1 h', run: reproduceInpaint },
  segmentation: { what: 'the parts of a brain, and how sure that is; needs the brain; about 2 h', run: reproduceSegmentation },
  depth: { what: 'how far away things are, from two pictures; needs stereo; about ½ h', run: reproduceDepth },
  digits3d: { what: 'solid digits among balls in a noisy volume (M3D-NCA in kind); needs MNIST; about 20 min', run: reproduceDigits3d },
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false }, seed: { type: 'string', default: '0' },
    seeds: { type: 'string', default: '1' }, iterations: { type: 'string' }, out: { type: 'string' },
    data: { type: 'string', default: 'data' }, help: { type: 'boolean', default: false },
  },
})
const names = positionals[0] === 'all' ? Object.keys(claims) : positionals
const unknown = names.find(name => !Object.hasOwn(claims, name))
const seed = Number(values.seed), count = Number(values.seeds)
const iterations = values.iterations === undefined ? null : Number(values.iterations)
if (unknown !== undefined || names.length === 0 || values.help) {
  const list = Object.entries(claims).map(([name, { what }]) => `  ${name.padEnd(14)}${what}`).join('\n')
  if (unknown !== undefined) console.error(`reproduce: there is no claim ${unknown}; there are:`)
  console.log(`npm run reproduce -- NAME, or all  [--quick] [--iterations N] [--seeds N] [--seed N] [--out FOLDER] [--data FOLDER]\n\n${list}`)
  process.exitCode = unknown === undefined ? 0 : 2
} else if (!Number.isSafeInteger(seed) || seed < 0) {
  console.error(`reproduce: --seed is ${values.seed}, expected a whole number ≥ 0.`)
  process.exitCode = 2
} else if (!Number.isSafeInteger(count) || count < 1) {
  console.error(`reproduce: --seeds is ${values.seeds}, expected a whole number > 0.`)
  process.exitCode = 2
} else if (iterations !== null && (!Number.isSafeInteger(iterations) || iterations < 1)) {
  console.error(`reproduce: --iterations is ${values.iterations}, expected a whole number > 0.`)
  process.exitCode = 2
} else {
  const seeds = Array.from({ length: count }, (_, i) => seed + i)
  for (const name of names) {
    const out = values.out ?? (values.quick ? 'out/reproduce' : 'docs/results')
    const work = values.quick ? join(out, 'runs') : 'runs/reproduce'
    const models = values.out === undefined && !values.quick ? shipped : out
    const context: Context = { name, out, work, models, seed, seeds, data: values.data, quick: values.quick, iterations }
    const began = performance.now()
    const reports: Report[] = []
    for (const own of seeds) {
      const elsewhere = own === seed ? {} : { out: join(work, name, `seed-${own}`), models: null }
      reports.push(await claims[name].run({ ...context, seed: own, ...elsewhere }))
    }
    await writeCsv(context, rowsOf(reports, seeds))
    await writeText(context, textOf(reports, seeds))
    console.log(`${name} took ${Math.round((performance.now() - began) / 1000)} s; results in ${out}/reproduce-${name}*`)
  }
}
