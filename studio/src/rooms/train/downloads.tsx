/**
 * The results of a run, as files to download.
 */
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { openIn } from '../handover.ts'
import type { ModelFile } from '../model-file.ts'
import { AddressButton } from '../send/send.tsx'
import { Section } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { Pixels } from '../../ui/picture.ts'
import type { ExportName } from './exports.ts'

const files: readonly (readonly [ExportName, string, string])[] = [
  ['safetensors', 'Model', 'The rule and its weights, as .safetensors'],
  ['html', 'Page', 'One HTML file that grows without a network'],
  ['yaml', 'YAML', 'The configuration that trains the same with cellgrad train --config'],
  ['target', 'Target', 'What is to grow, as PNG; the YAML names it'],
  ['start', 'Start', 'The model from which it began, as .safetensors; the YAML names it'],
  ['gif', 'GIF', 'Growth as an animation'],
  ['strip', 'Strip', 'Growth as one row of pictures'],
]

async function download(what: ExportName): Promise<void> {
  const { name, type, bytes } = await call('train', 'file', what)
  const link = Object.assign(document.createElement('a'), { href: URL.createObjectURL(new Blob([bytes], { type })), download: name })
  link.click()
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
}

export function Downloads({ name, target, begun }: {
  /** The name of the model. */
  name: string
  /** The picture that it learns to grow, on its grid. */
  target: Pixels
  /** Whether it began from a model. */
  begun: boolean
}): VNode {
  const model = async (): Promise<ModelFile> => (
    { name, bytes: await call('train', 'model'), target: { pixels: target, side: Math.max(target.width, target.height) } }
  )
  const give = (room: 'play' | 'inside'): void => { model().then(file => openIn(room, file)).catch(complain) }
  return (
    <Section title="Take it with you">
      <div class="row">
        <button type="button" onClick={() => give('play')}>Open in Play</button>
        <button type="button" onClick={() => give('inside')}>Look inside</button>
        <AddressButton models={async () => [await model()]} />
      </div>
      <div class="row">
        {files.filter(([what]) => what !== 'start' || begun).map(([what, text, meaning]) => (
          <button key={what} type="button" title={meaning} onClick={() => { download(what).catch(complain) }}>{text}</button>
        ))}
      </div>
    </Section>
  )
}
