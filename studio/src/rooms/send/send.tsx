/**
 * Send: a model for somebody else, as a page in one file or as an address that contains it.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { addressOf } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Section } from '../../ui/fields.tsx'
import { complain, mention } from '../../ui/notice.tsx'
import { brief, minus } from '../../ui/numbers.ts'
import { saveFile } from '../../ui/save.ts'
import type { ModelFile } from '../model-file.ts'
import { targetOf } from '../models.ts'
import type { Quality } from './quality.ts'

/** Characters of the other half of a graft at most: programs that pass on longer addresses cut them off. */
const most = 50_000

/** An address that was made. */
type Made = {
  readonly address: string
  readonly copied: boolean
  readonly bits: number
  /** Characters of the models in it. */
  readonly length: number
  /** What it leaves out, as a sentence; '' if nothing. */
  readonly lacks: string
}

/** How well the sent model grows, in words. */
function inWords({ steps, ...quality }: Quality): string {
  const number = (x: number): string => (Number.isFinite(x) ? minus(x.toFixed(2)) : 'not finite')
  if (quality.by === 'target') return `log₁₀ of its error after ${steps} steps is ${number(quality.sent)}, of the original ${number(quality.here)}.`
  if (quality.by === 'classes') return `After ${steps} steps ${Math.round(100 * quality.same)} % of the cells say the same as with the original.`
  return `After ${steps} steps its cells are ${brief(quality.size)} from those of the original, on average.`
}

/** A button that copies the address of a model to the clipboard, shows it for copying by hand, and says how well it grows. */
export function AddressButton({ models, settings = {} }: {
  /** The model and, in a graft, that of the right half. */
  models: () => Promise<readonly ModelFile[]>
  /** Further settings in the address, see `addressOf`. */
  settings?: Readonly<Record<string, string | undefined>>
}): VNode {
  const [made, setMade] = useState<Made | null>(null)
  const [qualities, setQualities] = useState<readonly string[]>([])
  const there = useRef(true)
  useEffect(() => () => { there.current = false }, [])

  async function make(): Promise<void> {
    const [model, right] = await models()
    const { text, bits } = await call('send', 'link', model)
    const half = right && !settings.graft ? (await call('send', 'link', right)).text : undefined
    const fits = half === undefined || half.length <= most
    const held = [{ file: model, text }, ...(fits && half !== undefined ? [{ file: right, text: half }] : [])]
    const address = new URL(addressOf('play', { ...settings, shared: text, half: fits ? half : undefined }), location.href).href
    const copied = isSecureContext && await navigator.clipboard.writeText(address).then(() => true, () => false)
    setQualities([])
    setMade({
      address, copied, bits, length: held.reduce((sum, { text }) => sum + text.length, 0),
      lacks: fits ? '' : `The right half, ${right.name}, is not in it: it would take ${half.length.toLocaleString('en')} characters more. `,
    })
    const found: string[] = []
    for (const { file, text } of held) found.push(`${held.length > 1 ? `${file.name}: ` : ''}${inWords(await call('send', 'quality', file, text, await targetOf(file)))}`)
    if (there.current) setQualities(found)
  }

  return (
    <>
      <button type="button" title="The rule, its weights in 8 bits each and the settings, in one address" onClick={() => { make().catch(complain) }}>Address</button>
      {made && (
        <div class="sent hint" role="status">
          <p>{made.copied ? 'Copied: anyone who opens it plays the same. ' : 'Copy it: anyone who opens it plays the same. '}{made.lacks}</p>
          <input readonly aria-label="The address" value={made.address} onFocus={event => event.currentTarget.select()} />
          <p>{made.bits} bits a weight, {made.length.toLocaleString('en')} characters. {qualities.length > 0 ? qualities.join(' ') : 'Growing what is sent and the original, to compare …'}</p>
        </div>
      )}
    </>
  )
}

export function Send({ models, size, settings }: {
  /** The model and, in a graft, that of the right half. */
  models: () => Promise<readonly ModelFile[]>
  size: number
  settings: Readonly<Record<string, string | undefined>>
}): VNode {
  async function save(): Promise<void> {
    const [model, right] = await models()
    if (right) mention(`The page holds ${model.name} alone, without ${right.name}: a page has one model.`)
    saveFile(`${model.name}.html`, await call('send', 'page', model, size), 'text/html')
  }
  return (
    <Section title="Send">
      <div class="row">
        <button type="button" title="One HTML file that grows without a network" onClick={() => { save().catch(complain) }}>Page</button>
        <AddressButton models={models} settings={settings} />
      </div>
    </Section>
  )
}
