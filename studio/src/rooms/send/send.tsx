/**
 * Send: a model goes to somebody else, as a page in one file or as an address that holds it.
 */
import { useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { addressOf } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Section } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { File } from '../play/commands.ts'

type FileOf = () => Promise<File>

/** A button that puts the address of a model into the clipboard, and shows it to be copied by hand. */
export function AddressButton({ file, settings = {} }: {
  file: FileOf
  /** What else the address is to say, see `addressOf`. */
  settings?: Readonly<Record<string, string | undefined>>
}): VNode {
  const [address, setAddress] = useState<string | null>(null)
  const [copied, setCopied] = useState(false)
  async function copy(): Promise<void> {
    const shared = await call('send', 'link', await file())
    const whole = new URL(addressOf('play', { ...settings, shared }), location.href).href
    setAddress(whole)
    setCopied(isSecureContext && await navigator.clipboard.writeText(whole).then(() => true, () => false))
  }
  return (
    <>
      <button type="button" title="The rule, its weights in 8 bits each and the settings, in one address" onClick={() => { copy().catch(complain) }}>Address</button>
      {address !== null && (
        <p class="sent hint" role="status">
          {copied ? 'Copied: whoever opens it plays the same. ' : 'Copy it: whoever opens it plays the same. '}
          <input readonly aria-label="The address" value={address} onFocus={event => event.currentTarget.select()} />
        </p>
      )}
    </>
  )
}

export function Send({ file, size, settings }: { file: FileOf; size: number; settings: Readonly<Record<string, string | undefined>> }): VNode {
  async function save(): Promise<void> {
    const model = await file()
    const html = await call('send', 'page', model, size)
    const url = URL.createObjectURL(new Blob([html], { type: 'text/html' }))
    Object.assign(document.createElement('a'), { href: url, download: `${model.name}.html` }).click()
    setTimeout(() => URL.revokeObjectURL(url), 10_000)
  }
  return (
    <Section title="Send">
      <div class="row">
        <button type="button" title="One HTML file that grows without a network" onClick={() => { save().catch(complain) }}>Page</button>
        <AddressButton file={file} settings={settings} />
      </div>
    </Section>
  )
}
