/**
 * `cellgrad export`: writes a trained model in a form that can be used without cellgrad.
 */
import { basename, extname } from 'node:path'
import type { ArgsDef } from 'citty'
import { exportHtml } from '../../exchange/html/export-html.ts'
import { writeFileAtomic } from '../../node/atomic-file.ts'
import { readModel } from '../../node/model.ts'
import { checkOut, gridOf, modelPath } from '../run/models.ts'
import { say } from '../terminal/output.ts'
import { argument, command, flag, type Command } from '../input/command.ts'

const args: ArgsDef = {
  model: argument('A trained model: an emoji or its name, if bundled, a file, or the folder of a run', { required: true }),
  html: flag('file.html', 'Writes one page that plays the model, from the disk and without a network'),
  title: flag('words', 'Title of the page (default: the target, or the name of the file)'),
  size: flag('n', 'Rows and columns of the grid (default: those of the training)'),
  brightness: flag('x', 'Added to red, green and blue of a texture; those that cellgrad trains need 0.5 (default: 0)'),
}

export const exportModel: Command = command('export', 'Write a trained model as one page of HTML to send', args, async given => {
  const { html, model: what, title: called } = given.text
  const size = given.number('size', 0, { least: 1, most: 512 })
  const brightness = given.number('brightness', 0, { least: -1, most: 1, whole: false })
  if (html === undefined) return given.refuse('--html is missing, expected a file like --html model.html')
  checkOut(given, 'html', ['.html'])
  const path = await modelPath('export', what!)
  const model = await readModel(path, { dtype: 'float32' })
  const title = called ?? model.provenance.target ?? basename(path, extname(path))
  await writeFileAtomic(html, await exportHtml(model, { title, brightness, size: size || gridOf(model, path) }))
  say(html)
})
