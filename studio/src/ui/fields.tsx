/**
 * The few controls that all rooms share. Each has a label, for the eye, the keyboard and the screen reader.
 */
import { useId } from 'preact/hooks'
import type { ComponentChildren, VNode } from 'preact'

/** A titled part of a room's panel. */
export function Section({ title, children }: { title: string; children: ComponentChildren }): VNode {
  const id = useId()
  return <section class="section" aria-labelledby={id}><h2 id={id}>{title}</h2>{children}</section>
}

/** A slider with its value beside its name. */
export function Slider({ label, value, text, min, max, step = 1, onInput }: {
  label: string
  value: number
  /** The value in words; by default the number. */
  text?: string
  min: number
  max: number
  step?: number
  onInput: (value: number) => void
}): VNode {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label><output for={id}>{text ?? value}</output>
      <input id={id} type="range" {...{ min, max, step, value }} aria-valuetext={text} onInput={e => onInput(Number(e.currentTarget.value))} />
    </div>
  )
}

/** A choice of one value, in a drop-down list. */
export function Select<T extends string>({ label, value, options, onChange }: {
  label: string
  value: T
  options: readonly (readonly [value: T, text: string])[]
  onChange: (value: T) => void
}): VNode {
  const id = useId()
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={e => onChange(e.currentTarget.value as T)}>
        {options.map(([name, text]) => <option key={name} value={name}>{text}</option>)}
      </select>
    </div>
  )
}

/** A choice of one value, all of them visible: a group of radio buttons that look like keys. */
export function Keys<T extends string>({ label, value, options, onChange, big = false }: {
  label: string
  value: T
  /** The value, what the key shows, and a name for it if it does not show words. */
  options: readonly (readonly [value: T, face: ComponentChildren, name?: string])[]
  onChange: (value: T) => void
  /** Whether the faces are pictures. */
  big?: boolean
}): VNode {
  const name = useId()
  return (
    <fieldset class={big ? 'keys big' : 'keys'}>
      <legend class="hidden">{label}</legend>
      {options.map(([one, face, title]) => (
        <label key={one} title={title}>
          <input type="radio" {...{ name }} aria-label={title} checked={value === one} onChange={() => onChange(one)} />
          <span>{face}</span>
        </label>
      ))}
    </fieldset>
  )
}

/** A measured number with its unit. */
export function Figure({ label, value }: { label: string; value: string }): VNode {
  return <div class="figure"><dt>{label}</dt><dd>{value}</dd></div>
}
