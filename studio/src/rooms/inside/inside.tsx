/**
 * Look inside: the time line of a rollout, which goes both ways; every quantity of the step at its cursor; the equation
 * of a cell; and the gradients of the loss of the last state.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { settingsIn, showAddress, unusable, type Settings } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Figure, Keys, Section, Select, Slider } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import { paint } from '../../ui/picture.ts'
import { tellOfAddress } from '../../ui/wrong-address.ts'
import { saveFile } from '../../ui/save.ts'
import type { ModelFile } from '../model-file.ts'
import { bundledModels, modelOf, targetOf, useOwnModels } from '../models.ts'
import { FileChooser, FileDrop } from '../play/file-drop.tsx'
import type { Kind } from '../play/family.ts'
import { sizes } from '../sizes.ts'
import type { CellNumbers } from './cell.ts'
import type { Facts, Gradients, Moment, Place, Quantity } from './commands.ts'
import { Equation } from './equation.tsx'
import type { Start } from './line.ts'
import { Legend, Sheet } from './maps.tsx'
import { CellPicture } from './picture.tsx'
import { digits } from './terms.ts'
import { NormCurve } from './time.tsx'
import './inside.css'

const quantities: readonly (readonly [Quantity, string])[] = [
  ['channels', 'Channels'], ['perception', 'Perception'], ['hidden', 'Hidden units'], ['change', 'Change'], ['masks', 'Masks'], ['gradient', 'Gradient'],
]

const words: Readonly<Record<Quantity, string>> = {
  channels: 'The state s before the step: what each cell is.',
  perception: 'P(s): what each cell sees of its neighbours, channel by channel, through each filter.',
  hidden: 'The hidden units of the network, in every cell.',
  change: 'η·U(P(s)): the change that the network proposes, before chance decides which cells fire.',
  masks: 'Which cells lived before the step, fire in it, and live after it; and the channels that never change.',
  gradient: '∂L/∂s: how the loss of the last state changes with each number of this state.',
}

/** The name of the first state when a rollout begins afresh, by the kind of the rule. */
const firsts: Readonly<Record<Kind, string>> = { growing: 'From the seed', classes: 'From a drawing', texture: 'From nothing', latent: 'From the seed', other: 'From nothing' }

export function Inside({ settings }: { settings: Settings }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [asked] = useState(() => settingsIn('inside', settings))
  const [model, setModel] = useState(asked.model ?? bundledModels[0].name)
  const [steps, setSteps] = useState(asked.steps ?? 96)
  /** The size of the grid that was asked for; null: that of the model's training. */
  const [wished, setSize] = useState<number | null>(asked.size ?? null)
  const [wanted, setStart] = useState<Start>(asked.start ?? 'seed')
  const [t, setT] = useState(asked.t ?? 48)
  const [quantity, setQuantity] = useState<Quantity>(asked.show ?? 'channels')
  const [chosen, setChosen] = useState<{ readonly x?: number; readonly y?: number }>(asked)
  const [scale, setScale] = useState<'shared' | 'own'>(asked.scale ?? 'shared')
  const [facts, setFacts] = useState<Facts | null>(null)
  const [moment, setMoment] = useState<Moment | null>(null)
  /** The numbers of a cell, and the model that has them: right after another model was opened these are still the previous ones. */
  const [numbers, setNumbers] = useState<{ facts: Facts; cell: CellNumbers; place: Place } | null>(null)
  const [gradients, setGradients] = useState<Partial<Record<Start, Gradients>>>({})
  const [finding, setFinding] = useState(false)
  const [playing, setPlaying] = useState(false)
  /** The number of models opened so far: gradients of one must not be shown with the next. */
  const opened = useRef(0)
  /** Whether the worker shows what the page says: not while another model, size or number of steps is being opened. */
  const ready = useRef(false)

  const step = Math.min(t, steps)
  const start = wanted === 'play' && facts && !facts.played ? 'seed' : wanted
  const size = wished ?? facts?.size ?? 72
  const { x = Math.floor(size / 2), y = Math.floor(size / 2) } = chosen
  const cell = { x: Math.min(x, size - 1), y: Math.min(y, size - 1) }
  /** The cell whose numbers are shown: right after a click this is still the previous one. */
  const told = numbers?.place ?? cell
  const names = [...bundledModels, ...useOwnModels()].map(({ name }) => name)

  /** Opens the model, unless another has been chosen while its file and its picture were loading. */
  async function begin(isWanted: () => boolean): Promise<void> {
    const file = await modelOf(model)
    const target = await targetOf(file)
    if (!isWanted()) return
    const known = await call('inside', 'begin', { file, setup: { size: wished, steps }, target })
    if (!isWanted()) return
    if (opened.current === 0) tellOfAddress(unfit(known))
    opened.current++
    ready.current = true
    setGradients({})
    setFacts(known)
  }
  useEffect(() => {
    let wanted = true
    ready.current = false
    begin(() => wanted).catch(error => {
      if (!wanted) return
      ready.current = true // the worker keeps the previous model
      complain(error)
      setModel(facts?.name ?? bundledModels[0].name) // a model that cannot be opened does not stay selected
    })
    return () => { wanted = false }
  }, [model, wished, steps])

  /** The settings of the address that do not fit the model that was opened, with a part of a sentence for each. */
  function unfit({ size, played }: Facts): string[] {
    const cells = (['x', 'y'] as const).filter(name => asked[name] !== undefined && asked[name] >= size)
    return [
      ...cells.map(name => unusable(name, String(asked[name]), `a whole number from 0 to ${size - 1}, on this grid`, `${size - 1}`)),
      ...(asked.start === 'play' && !played ? [unusable('start', 'play', 'seed or pool: nothing of this model and size is in Play', 'seed')] : []),
    ]
  }

  // Only the newest wish counts: wishes that arrive while a moment is computed replace each other.
  const wish = useRef<{ start: Start; t: number; quantity: Quantity; scale: 'shared' | 'own' } | null>(null)
  const busy = useRef(false)
  async function look(): Promise<void> {
    if (busy.current) return
    busy.current = true
    while (ready.current && wish.current) {
      const wanted = wish.current
      wish.current = null
      try {
        if (wanted.quantity === 'gradient') await find(wanted.start)
        if (!ready.current) break
        const seen = await call('inside', 'look', wanted)
        if (canvas.current) paint(canvas.current, seen.picture)
        setMoment(seen)
      } catch (error) {
        complain(error)
      }
    }
    busy.current = false
  }
  useEffect(() => {
    if (!facts) return
    wish.current = { start, t: step, quantity, scale }
    void look()
  }, [facts, start, step, quantity, scale])
  useEffect(() => {
    if (!facts || playing) return
    const soon = setTimeout(() => {
      if (!ready.current) return
      const place = { start, t: step, ...cell }
      call('inside', 'cell', place).then(found => setNumbers({ facts, cell: found, place })).catch(complain)
    }, 60)
    return () => clearTimeout(soon)
  }, [facts, start, step, cell.x, cell.y, playing])
  useEffect(() => {
    if (!playing || !moment) return
    const next = setTimeout(() => (step >= steps ? setPlaying(false) : setT(step + 1)), 30)
    return () => clearTimeout(next)
  }, [playing, moment])
  useEffect(() => showAddress('inside', {
    model: model !== bundledModels[0].name && bundledModels.some(({ name }) => name === model) ? model : undefined,
    steps: steps === 96 ? undefined : String(steps), size: wished === null ? undefined : String(wished), start: start === 'seed' ? undefined : start,
    t: String(step), show: quantity === 'channels' ? undefined : quantity, scale: scale === 'own' ? scale : undefined, x: String(cell.x), y: String(cell.y),
  }), [model, steps, wished, start, step, quantity, scale, cell.x, cell.y])

  /** Computes the gradients of the rollout from a start. */
  async function find(first: Start): Promise<void> {
    setFinding(true)
    const at = opened.current
    try {
      const found = await call('inside', 'gradients', first)
      if (at === opened.current) setGradients(before => ({ ...before, [first]: found }))
    } finally {
      setFinding(false)
    }
  }
  /** Computes those of the rollout that is shown and of another one, to compare: from the seed, or from the pool. */
  async function findBoth(): Promise<void> {
    await find(start)
    await find(start === 'pool' ? 'seed' : 'pool')
  }

  function save(what: 'state' | 'gradient'): void {
    call('inside', 'save', { start, t: step, what }).then(bytes => saveFile(`${model}-${what}-${step}.npy`, bytes)).catch(complain)
  }
  function go(to: number): void {
    setPlaying(false)
    setT(Math.min(Math.max(to, 0), steps))
  }

  const norms = Object.fromEntries(Object.entries(gradients).map(([name, { norms }]) => [name, norms]))
  const now = gradients[start]
  const starts = { seed: firsts[facts?.kind ?? 'growing'], pool: 'From the pool: grown and hurt', play: 'From Play, as it was' }
  const own = scale === 'own' && quantity !== 'masks'
  const taking = { check: (file: ModelFile) => call('inside', 'check', file), onTaken: setModel }
  return (
    <FileDrop {...taking}>
      <div class="room inside">
        <div class="view">
          <CellPicture canvas={canvas} size={size} cell={cell} onCell={setChosen} label={`${model} after ${step} steps`} />
          <div class="timeline">
            {Object.keys(norms).length > 0 && <NormCurve norms={norms} steps={steps} t={step} start={start} names={starts} />}
            <label class="hidden" for="step">Step</label>
            <input id="step" type="range" min={0} max={steps} value={step} onInput={event => go(Number(event.currentTarget.value))} />
          </div>
          <div class="row">
            <button type="button" onClick={() => go(step - 1)} disabled={step === 0}>Back</button>
            <button type="button" class="main" onClick={() => { if (step >= steps) setT(0); setPlaying(!playing) }}>{playing ? 'Pause' : 'Play'}</button>
            <button type="button" onClick={() => go(step + 1)} disabled={step === steps}>Forward</button>
            <button type="button" class="quiet" onClick={() => save('state')}>Save the state</button>
          </div>
          <dl class="figures">
            <Figure label="step" value={`${step} of ${steps}`} />
            <Figure label="shown in" value={moment ? `${moment.took.toFixed(0)} ms` : '…'} />
            <Figure label="loss at the end" value={now ? digits(now.loss) : '…'} />
          </dl>
          <Section title="Rollout">
            <Select label="Model" value={model} onChange={setModel} options={names.map(name => [name, name] as const)} />
            <Keys label="Begins" value={start} onChange={setStart} options={(['seed', 'pool', ...(facts?.played ? ['play' as const] : [])] as const).map(one => [one, starts[one]] as const)} />
            <Slider label="Steps" value={steps} min={16} max={256} step={16} onInput={setSteps} />
            <Slider label="Grid" value={size} text={`${size} × ${size}`} {...sizes.inside} step={4} onInput={setSize} />
            <FileChooser {...taking} />
          </Section>
        </div>
        <div class="panel">
          <Section title={`Step ${step} → ${step + 1}`}>
            <Keys label="What is shown" value={quantity} onChange={setQuantity} options={quantities} />
            <p class="hint">{words[quantity]}</p>
            {facts && moment && !(finding && quantity === 'gradient') && (
              <>
                <div class="row">
                  <Legend palette={facts.palette} range={own ? undefined : moment.maps.ranges[0]} />
                  {quantity !== 'masks' && <button type="button" class="quiet" aria-pressed={own} onClick={() => setScale(own ? 'shared' : 'own')}>Each on its own scale</button>}
                </div>
                <Sheet maps={moment.maps} own={own} onCell={setChosen} />
              </>
            )}
          </Section>
          <Section title={`Cell ${told.x}, ${told.y}`}>
            <p class="hint">Choose another by a click in any picture, or with the arrow keys in the large one.</p>
            {numbers && <Equation key={numbers.facts.name} {...numbers} isOpen={() => ready.current && numbers.facts === facts} />}
          </Section>
          <Section title="Where the error flows">
            {facts && <p class="hint">L is the {facts.loss}, after step {steps}. The curve above the time line shows how much of its gradient reaches each state.</p>}
            <div class="row">
              <button type="button" class="main" disabled={finding || !facts} onClick={() => { findBoth().catch(complain) }}>{finding ? 'Finding …' : 'Find the gradients'}</button>
              {now && <button type="button" class="quiet" onClick={() => save('gradient')}>Save ∂L/∂s of this step</button>}
            </div>
            {facts && now && now.weights.map(({ path, shape, norm, maps }) => (
              <div class="weights" key={path}>
                <p><b>∂L/∂{path.replace(/^update\./, '')}</b> <span class="faint">{shape.join(' × ')}, norm {digits(norm)}, up to ±{digits(maps.ranges[0])}</span></p>
                <Sheet maps={maps} />
              </div>
            ))}
          </Section>
        </div>
      </div>
    </FileDrop>
  )
}
