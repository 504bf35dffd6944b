/**
 * The equation of a channel of one cell, in symbols, with the number of each term below it. A term that has the pointer or the
 * keyboard focus is explained.
 */
import { useState } from 'preact/hooks'
import type { VNode } from 'preact'
import type { CellNumbers } from './cell.ts'
import type { Facts } from './commands.ts'
import { digits } from './terms.ts'

type Part = { readonly symbol: VNode; readonly number: string; readonly meaning: string; readonly before?: string }

/** Whether the cell keeps its new state, in words. */
function fate({ fires, livedBefore, livesAfter }: CellNumbers): string {
  const says = [fires ? 'It fires' : 'It does not fire, m = 0']
  if (livedBefore !== null) says.push(livedBefore ? 'it lived before' : 'nothing lived around it before, so it is emptied')
  if (livesAfter !== null && livedBefore !== false) says.push(livesAfter ? 'it lives after' : 'nothing lives around it after, so it is emptied')
  return `${says.join(', ')}.`
}

/**
 * s′ = s + m · Δs of the channel c, or 0 where the living mask has emptied the cell.
 *
 * @param change Δ of the channel
 * @param t the step
 */
export function Headline({ facts, cell, c, change, t }: { facts: Facts; cell: CellNumbers; c: number; change: number; t: number }): VNode {
  const [told, setTold] = useState<string | null>(null)
  const name = facts.channels[c]
  const at = (step: number): VNode => <>{name}<sub>{step}</sub></>
  const isEmptied = cell.livedBefore === false || cell.livesAfter === false
  const parts: Part[] = [
    { symbol: at(t + 1), number: digits(cell.after[c]), meaning: `What ${name} of this cell is after the step${facts.bounded ? ', within the bounds of the rule' : ''}.` },
    ...(isEmptied
      ? [{ before: '=', symbol: <>0</>, number: '0', meaning: 'The living mask has emptied the cell, whatever it would have become.' }]
      : [
          { before: '=', symbol: at(t), number: digits(cell.before[c]), meaning: `What ${name} was before the step.` },
          {
            before: '+', symbol: <>m</>, number: cell.fires ? '1' : '0',
            meaning: cell.fires ? 'The fire mask: this cell updates in this step.' : 'The fire mask: this cell keeps what it has in this step.',
          },
          { before: '·', symbol: <>Δ{name}</>, number: digits(change), meaning: 'The change that the network proposes: the sum below.' },
        ]),
  ]
  return (
    <>
      <div class="headline" role="group" aria-label={`The equation of ${name}`}>
        {parts.map(({ symbol, number, meaning, before }, i) => (
          <span key={i} class="part">
            {before && <span class="sign"><span>{before}</span><span>{before}</span></span>}
            <button
              type="button" title={meaning} onMouseEnter={() => setTold(meaning)} onMouseLeave={() => setTold(null)}
              onFocus={() => setTold(meaning)} onBlur={() => setTold(null)}
            >
              <span>{symbol}</span><span>{number}</span>
            </button>
          </span>
        ))}
      </div>
      <p class="hint meaning">{told ?? `${fate(cell)}${facts.bounded ? ' What comes of it is kept within bounds.' : ''}`}</p>
    </>
  )
}
