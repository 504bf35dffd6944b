/**
 * How a room gets model files: dropped anywhere on the page, or chosen in a dialogue.
 */
import type { ComponentChildren, VNode } from 'preact'
import { useDrop } from '../../ui/drop.ts'
import { mention, notify, settled } from '../../ui/notice.tsx'
import type { ModelFile } from '../model-file.ts'
import { keepModel } from '../models.ts'

/** Bytes of a file at most. No model that a page can run is larger, so larger files are not read into memory. */
const most = 64 * 2 ** 20

async function read(file: File): Promise<ModelFile> {
  if (file.size > most) throw new Error(`${file.name} has ${Math.ceil(file.size / 2 ** 20)} MB, expected a model of at most ${most / 2 ** 20} MB.`)
  const bytes = await file.arrayBuffer().catch((cause: unknown) => { throw new Error(`${file.name} could not be read: it is a folder, or is there no more.`, { cause }) })
  return { name: file.name.replace(/\.safetensors$/, ''), bytes: new Uint8Array(bytes) }
}

type Taking = {
  /** Rejects if the room cannot use a file. */
  readonly check: (model: ModelFile) => Promise<unknown>
  /** Called with the name of the model to show. */
  readonly onTaken: (name: string) => void
}

/** Keeps all files that are models, and shows the first; a sentence says what is wrong with the others. */
async function take(files: Iterable<File>, { check, onTaken }: Taking): Promise<void> {
  const kept: string[] = [], wrong: string[] = []
  for (const file of files) {
    try {
      const model = await read(file)
      await check(model)
      kept.push(keepModel(model).name)
    } catch (error) {
      wrong.push((error as Error).message)
    }
  }
  if (kept.length > 0) onTaken(kept[0])
  if (wrong.length > 0) return notify(wrong.join(' '), 'files')
  settled('files')
  if (kept.length > 1) mention(`${kept[0]} is shown; ${kept.slice(1).join(', ')} can be chosen beside it.`)
}

/** Wraps a room: while it is open, files may be dropped anywhere on the page. */
export function FileDrop({ children, ...taking }: Taking & { children: ComponentChildren }): VNode {
  const over = useDrop(files => { void take(files, taking) })
  return <div class={over ? 'drop over' : 'drop'}>{children}</div>
}

/** A sentence with the way to choose files. */
export function FileChooser(taking: Taking): VNode {
  return (
    <p class="hint">
      <label class="link">
        Open a model
        <input
          type="file" accept=".safetensors" multiple class="hidden"
          onChange={({ currentTarget: input }) => {
            const files = [...input.files ?? []]
            input.value = '' // so that choosing the same file again is a change
            void take(files, taking)
          }}
        />
      </label>
      {' '}(.safetensors), or drop one anywhere here.
    </p>
  )
}
