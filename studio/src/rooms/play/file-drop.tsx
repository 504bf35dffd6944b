/**
 * How model files come into Play: dropped anywhere on the room, or chosen.
 */
import type { ComponentChildren, VNode } from 'preact'
import { useDrop } from '../../ui/drop.ts'
import { complain } from '../../ui/notice.tsx'
import type { File as Model } from './commands.ts'

/** More than any model that a page could run; what is larger is not read into memory. */
const most = 64 * 2 ** 20

async function read(file: File): Promise<Model> {
  if (file.size > most) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB, expected a model of at most ${most / 2 ** 20} MB.`)
  return { name: file.name.replace(/\.safetensors$/, ''), bytes: new Uint8Array(await file.arrayBuffer()) }
}

type OnFile = { readonly onFile: (model: Model) => void }

/** The room, while which is open a file may be dropped anywhere on the page. */
export function FileDrop({ onFile, children }: OnFile & { children: ComponentChildren }): VNode {
  const over = useDrop(file => { read(file).then(onFile).catch(complain) })
  return <div class={over ? 'drop over' : 'drop'}>{children}</div>
}

/** A sentence with the way to choose a file. */
export function FileChooser({ onFile }: OnFile): VNode {
  return (
    <p class="hint">
      <label class="link">
        Open a model
        <input
          type="file" accept=".safetensors" class="hidden"
          onChange={({ currentTarget: input }) => {
            const file = input.files?.[0]
            if (file) read(file).then(onFile).catch(complain)
            input.value = '' // the same file may be chosen again
          }}
        />
      </label>
      {' '}(.safetensors), or drop one anywhere here.
    </p>
  )
}
