/**
 * The equation of one cell's step with its real numbers, from the new state down to the neighbours: each line shows the terms
 * of a sum, and the next line shows the sum behind the chosen term.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { call } from '../../engine/client.ts'
import { Select } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import type { CellNumbers, Seen } from './cell.ts'
import type { Facts, Place } from './commands.ts'
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

/** How far taps reach from the cell along one axis. */
const reachOf = (offsets: readonly number[]): number => Math.max(...offsets.map(Math.abs))

/** The taps of a filter as a table, weight × value, each where its neighbour is. */
function Neighbours({ shown, seen: { taps }, facts }: { shown: Shown; seen: Seen; facts: Facts }): VNode {
  const [{ channel }] = taps
  const [down, right] = [reachOf(taps.map(({ dy }) => dy)), reachOf(taps.map(({ dx }) => dx))]
  if (taps.some(tap => tap.channel !== channel) || Math.max(down, right) > 2) return <SumLine shown={shown} />
  const from = (reach: number): number[] => Array.from({ length: 2 * reach + 1 }, (_, i) => i - reach)
  return (
    <div class="sum">
      <p class="result"><b>{shown.name}</b> = {digits(shown.value)} <span class="faint">= Σ weight × {facts.channels[channel]} of the neighbours</span></p>
      <table class="neighbours" aria-label={`Neighbours in ${shown.name}`}>
        <tbody>
          {from(down).map(dy => (
            <tr key={dy}>
              {from(right).map(dx => {
                const tap = taps.find(one => one.dy === dy && one.dx === dx)
                return (
                  <td key={dx} class={tap && tap.weight !== 0 ? undefined : 'unseen'}>
                    {tap && (tap.neighbour === null ? 'beyond' : <>{digits(tap.weight)} × {digits(tap.neighbour)}<b>{digits(tap.weight * tap.neighbour)}</b></>)}
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

export function Equation({ facts, cell, place, isOpen }: {
  facts: Facts
  cell: CellNumbers
  place: Place
  /** Whether the worker still has the rollout of these numbers: only then it can be asked for more of them. */
  isOpen: () => boolean
}): VNode {
  const [k, setK] = useState(0)
  const [path, setPath] = useState<Readonly<Record<number, number>>>({})
  const [chosen, setChosen] = useState<number | null>(null)
  /** The perceived number that was asked for last, and the answer. */
  const [last, setLast] = useState<{ readonly i: number; readonly seen: Seen | null } | null>(null)
  const change = changeOf(facts, cell, Math.min(k, facts.changing.length - 1))
  const units: { shown: Shown; layer: number }[] = []
  let above = change
  for (let layer = facts.hidden.length; layer >= 1; layer--) {
    above = unitOf(facts, cell, layer, path[layer] ?? above.terms[0].i)
    units.push({ shown: above, layer })
  }
  const perceived = chosen ?? above.terms[0].i
  useEffect(() => {
    if (isOpen()) call('inside', 'seen', place, perceived).then(seen => setLast({ i: perceived, seen })).catch(complain)
  }, [perceived, cell])

  return (
    <div class="equation">
      <Select label="Channel" value={String(k)} onChange={value => setK(Number(value))} options={facts.changing.map((c, i) => [String(i), facts.channels[c]] as const)} />
      <Headline facts={facts} cell={cell} c={facts.changing[Math.min(k, facts.changing.length - 1)]} change={change.value} t={place.t} />
      <SumLine shown={change} chosen={path[facts.hidden.length] ?? change.terms[0].i} onChoose={i => setPath({ ...path, [facts.hidden.length]: i })} />
      {units.map(({ shown, layer }) => {
        const below = layer === 1 ? perceived : path[layer - 1] ?? shown.terms[0].i
        return (
          <SumLine key={layer} shown={shown} chosen={below} onChoose={i => (layer === 1 ? setChosen(i) : setPath({ ...path, [layer - 1]: i }))} />
        )
      })}
      {last && (last.seen === null
        ? <p class="hint">{facts.perception[last.i]} is not a sum over a window: another part of the perception computes it.</p>
        : <Neighbours shown={perceivedOf(facts, last.i, last.seen)} seen={last.seen} facts={facts} />)}
    </div>
  )
}
