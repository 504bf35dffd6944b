/**
 * The equation of one cell's step with its real numbers, from the new state down to the neighbours: each sum shows its
 * terms, and the term that is chosen is the sum of the next line.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Select } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { CellNumbers, Sum } from './cell.ts'
import type { Facts } from './commands.ts'
import { Headline } from './headline.tsx'
import { changeOf, digits, perceivedOf, unitOf, type Shown, type Term } from './terms.ts'

const few = 12

/** A sum and its terms, largest first; one of them may be chosen. */
function SumLine({ shown, chosen, onChoose }: { shown: Shown; chosen?: number; onChoose?: (i: number) => void }): VNode {
  const [all, setAll] = useState(false)
  const [told, setTold] = useState<Term | null>(null)
  const { name, value, bias, terms, after } = shown
  const seen = all ? terms : terms.slice(0, few)
  const largest = Math.abs(terms[0] ? terms[0].weight * terms[0].value : 0) || 1
  const rest = terms.slice(seen.length).reduce((sum, { weight, value }) => sum + weight * value, 0)
  const term = told ?? terms.find(({ i }) => i === chosen) ?? terms[0]
  return (
    <div class="sum">
      <p class="result"><b>{name}</b> = {digits(value)}{after && <span class="faint">, {after} of the sum</span>}</p>
      <div class="terms" role="group" aria-label={`Terms of ${name}`}>
        {seen.map(one => (
          <button
            key={one.i} type="button" class="term" aria-pressed={onChoose ? one.i === chosen : undefined}
            title={`${one.name}: ${digits(one.weight)} × ${digits(one.value)} = ${digits(one.weight * one.value)}`}
            style={{ '--share': `${100 * Math.abs(one.weight * one.value) / largest}%`, '--side': one.weight * one.value < 0 ? 'var(--below)' : 'var(--above)' }}
            onMouseEnter={() => setTold(one)} onMouseLeave={() => setTold(null)} onFocus={() => setTold(one)} onBlur={() => setTold(null)}
            onClick={() => onChoose?.(one.i)}
          >
            <span>{one.name}</span><span>{digits(one.weight * one.value)}</span>
          </button>
        ))}
      </div>
      <p class="told">
        {term && <span>{term.name}: weight {digits(term.weight)} × {digits(term.value)} = {digits(term.weight * term.value)}</span>}
        {bias !== 0 && <span>bias {digits(bias)}</span>}
        {terms.length > few && (
          <button type="button" class="quiet" onClick={() => setAll(!all)}>
            {all ? 'only the largest' : `${terms.length - few} more, together ${digits(rest)}`}
          </button>
        )}
      </p>
    </div>
  )
}

/** The neighbours of a filter as they lie, weight × value. */
function Neighbours({ shown, sum, facts, cell }: { shown: Shown; sum: Sum; facts: Facts; cell: CellNumbers }): VNode {
  const side = 2 * cell.reach + 1
  const channel = sum.taps[0]?.c ?? 0
  const oneChannel = sum.taps.every(({ c }) => c === channel)
  if (!oneChannel || side > 5) return <SumLine shown={shown} />
  const rows = Array.from({ length: side }, (_, i) => i - cell.reach)
  return (
    <div class="sum">
      <p class="result"><b>{shown.name}</b> = {digits(shown.value)} <span class="faint">= Σ weight × {facts.channels[channel]} of the neighbours</span></p>
      <table class="neighbours" aria-label={`Neighbours in ${shown.name}`}>
        <tbody>
          {rows.map(dy => (
            <tr key={dy}>
              {rows.map(dx => {
                const tap = sum.taps.find(one => one.dy === dy && one.dx === dx)
                const value = cell.window[(dy + cell.reach) * side + dx + cell.reach]?.[channel]
                return (
                  <td key={dx} class={tap ? undefined : 'unseen'}>
                    {value === undefined ? 'beyond' : <>{digits(tap?.weight ?? 0)} × {digits(value)}<b>{digits((tap?.weight ?? 0) * value)}</b></>}
                  </td>
                )
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

export function Equation({ facts, cell, t }: { facts: Facts; cell: CellNumbers; t: number }): VNode {
  const [k, setK] = useState(0)
  const [path, setPath] = useState<Readonly<Record<number, number>>>({})
  const [seen, setSeen] = useState<number | null>(null)
  const [sum, setSum] = useState<Sum | null>(null)
  const change = changeOf(facts, cell, Math.min(k, facts.changing.length - 1))
  const units: { shown: Shown; layer: number }[] = []
  let above = change
  for (let layer = facts.hidden.length; layer >= 1; layer--) {
    above = unitOf(facts, cell, layer, path[layer] ?? above.terms[0].i)
    units.push({ shown: above, layer })
  }
  const perceived = seen ?? above.terms[0].i
  useEffect(() => { call('inside', 'sum', perceived).then(setSum).catch(complain) }, [perceived, facts])

  return (
    <div class="equation">
      <Select label="Channel" value={String(k)} onChange={value => setK(Number(value))} options={facts.changing.map((c, i) => [String(i), facts.channels[c]] as const)} />
      <Headline facts={facts} cell={cell} c={facts.changing[Math.min(k, facts.changing.length - 1)]} change={change.value} t={t} />
      <SumLine shown={change} chosen={path[facts.hidden.length] ?? change.terms[0].i} onChoose={i => setPath({ ...path, [facts.hidden.length]: i })} />
      {units.map(({ shown, layer }) => {
        const below = layer === 1 ? perceived : path[layer - 1] ?? shown.terms[0].i
        return (
          <SumLine key={layer} shown={shown} chosen={below} onChoose={i => (layer === 1 ? setSeen(i) : setPath({ ...path, [layer - 1]: i }))} />
        )
      })}
      {sum === null
        ? <p class="hint">{facts.perception[perceived]} is computed by a part of the perception that is no sum over a window.</p>
        : <Neighbours shown={perceivedOf(facts, cell, perceived, sum)} sum={sum} facts={facts} cell={cell} />}
    </div>
  )
}
