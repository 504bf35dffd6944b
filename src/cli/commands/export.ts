/**
 * `cellgrad export`: a trained model in a form that needs no cellgrad.
 */
import { basename, extname } from 'node:path'
import type { ArgsDef, CommandDef } from 'citty'
import { exportHtml } from '../../exchange/html/export-html.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { readModel } from '../../node/model.ts'
import { checkOut, gridOf, modelPath } from '../input/models.ts'
import { say } from '../terminal/output.ts'
import { numberFlag, UsageError } from '../input/usage.ts'
import type { Command, Given } from '../input/usage.ts'

const args: ArgsDef = {
  model: {
    type: 'positional',
    description: 'A trained model: an emoji or its name, if bundled, a file, or the folder of a run',
  },
  html: {
    type: 'string', valueHint: 'file.html',
    description: 'Writes one page that plays the model, from the disk and without a network',
  },
  title: { type: 'string', valueHint: 'words', description: 'What the page is called (default: the target, or the name of the file)' },
  size: { type: 'string', valueHint: 'n', description: 'Rows and columns of the grid (default: those of the training)' },
  brightness: {
    type: 'string', valueHint: 'x', description: 'Added to red, green and blue of a texture; those that cellgrad trains need 0.5 (default: 0)',
  },
}

const definition: CommandDef = {
  meta: { name: 'export', description: 'Write a trained model as one page of HTML to send' },
  args,
  async run({ args: parsed }) {
    const given = parsed as unknown as Given
    const size = numberFlag('cellgrad export', given, 'size', 0, { least: 1, most: 512 })
    const brightness = numberFlag('cellgrad export', given, 'brightness', 0, { least: -1, most: 1, whole: false })
    if (given.html === undefined) throw new UsageError('cellgrad export: --html is missing, expected a file like --html model.html')
    checkOut('cellgrad export', 'html', given.html, ['.html'])
    const path = await modelPath('export', given.model!)
    const model = await readModel(path, { dtype: 'float32' })
    const title = given.title ?? model.provenance.target ?? basename(path, extname(path))
    await writeFileAtomic(given.html, await exportHtml(model, { title, brightness, size: size || gridOf(model, path) }))
    say(given.html)
  },
}

export const exportModel: Command = { definition }
