/**
 * Play: a trained rule grows, and can be hurt.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { addressOf, settingsIn, showAddress, unusable, type Settings } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Figure, Keys, Section, Select, Slider } from '../../ui/fields.tsx'
import { complain, mention, notify, settled } from '../../ui/notice.tsx'
import { paint } from '../../ui/picture.ts'
import { tellOfAddress } from '../../ui/wrong-address.ts'
import type { ModelFile } from '../model-file.ts'
import { bundledModels, keepModel, modelOf, useOwnModels } from '../models.ts'
import type { Border, Facts } from './commands.ts'
import { Send } from '../send/send.tsx'
import { sizes } from '../sizes.ts'
import { FileChooser, FileDrop } from './file-drop.tsx'
import { pacer, useBeat, type Pace } from './frames.ts'
import { Stage, type Cell } from './stage.tsx'
import { meanings, paintOf, reachOf, speeds, tools, type Tool } from './tools.ts'

const calm = matchMedia('(prefers-reduced-motion: reduce)').matches

/** The picture of a condition that has the name of an emoji; for others, the name. */
function faceOf(name: string): VNode | string {
  const face = bundledModels.find(bundled => bundled.name === name)?.face
  return face ? <img src={face} alt="" width={24} height={24} /> : name
}

/** The class that most cells predict, and their share. */
function saying(votes: readonly number[]): string {
  const all = votes.reduce((a, b) => a + b, 0)
  const most = votes.indexOf(Math.max(...votes))
  return all === 0 ? '–' : `${most} (${Math.round((100 * votes[most]) / all)} %)`
}

/** The tool at the beginning: a pen if the rule needs a drawing, else the eraser. */
const eraser: { readonly tool: Tool; readonly brush: number; readonly colour: string } = { tool: 'erase', brush: 9, colour: '#e0522f' }
const pen: typeof eraser = { tool: 'paint', brush: 3, colour: '#ffffff' }

/** The hint about what to draw for a rule with classes: those of a segmentation have names, else the classes are digits. */
function drawing(classes: readonly string[]): string {
  return classes.length > 0 ? `Draw: every cell says what it is, ${classes.join(', ')}.` : 'Draw a digit: its cells agree on which it is.'
}

export function Play({ settings }: { settings: Settings }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const own = useOwnModels()
  const [asked] = useState(() => settingsIn('play', settings))
  /** The name of the model; '' while a model from the address is being opened. */
  const [model, setModel] = useState(asked.model ?? (asked.shared === undefined ? bundledModels[0].name : ''))
  const [graft, setGraft] = useState(asked.graft ?? '')
  /** The size of the grid that was asked for; null: that of the model's training. */
  const [ownSize, setSize] = useState<number | null>(asked.size ?? null)
  const [angle, setAngle] = useState(asked.angle ?? 0)
  const [condition, setCondition] = useState(asked.condition ?? 0)
  const [said, setSaid] = useState<readonly number[] | null>(null)
  const [border, setBorder] = useState<Border | ''>(asked.border ?? '')
  const [speed, setSpeed] = useState(asked.speed ?? speeds.indexOf(60))
  const [running, setRunning] = useState(!calm)
  const [tool, setTool] = useState<Tool>(eraser.tool)
  const [brush, setBrush] = useState(eraser.brush)
  const [colour, setColour] = useState(eraser.colour)
  const [facts, setFacts] = useState<Facts | null>(null)
  /** Whether the visitor has changed cells since the world began. */
  const [changed, setChanged] = useState(false)
  const size = ownSize ?? facts?.size ?? 72
  const [pace, setPace] = useState<Pace | null>(null)
  const [figures, setFigures] = useState({ t: 0, alive: 0, cost: 0, held: 0 })
  const count = useRef(pacer())
  const owed = useRef(0)
  const drawn = useRef(0)

  /** The models that are playing; the choice goes back to them if another model cannot be played. */
  const playing = useRef<{ readonly model: string; readonly graft: string } | null>(null)
  const mine = (name: string): ModelFile | undefined => own.find(one => one.name === name)

  /** Begins with the models, unless others have been chosen while their files were loading. */
  async function begin(isWanted: () => boolean): Promise<void> {
    const files = await Promise.all([model, ...(graft ? [graft] : [])].map(modelOf))
    if (!isWanted()) return
    const known = await call('play', 'begin', files, { condition, angle: angle * Math.PI / 180, ...(ownSize && { size: ownSize }), ...(border && { border }) })
    playing.current = { model, graft }
    settled('model')
    setFacts(known)
    setChanged(false)
    const told = known.conditions.length
    if (told > 0 && condition >= told) setCondition(0)
    if (isWanted() && !facts && condition >= Math.max(1, told)) {
      tellOfAddress([unusable('condition', String(condition), told > 0 ? `a whole number from 0 to ${told - 1}` : `none: ${model} has no conditions`, told > 0 ? '0' : 'none')])
    }
    if ((known.kind === 'classes') !== (facts?.kind === 'classes')) takeUp(known.kind === 'classes' ? pen : eraser)
    if (known.kind === 'latent' && tool === 'paint') takeUp(eraser)
    await draw(calm ? { steps: 96 } : { steps: 0 })
  }

  function takeUp({ tool, brush, colour }: typeof pen): void {
    setTool(tool)
    setBrush(brush)
    setColour(colour)
  }

  async function draw(how: { steps: number } | { budget: number }): Promise<void> {
    const frame = await call('play', 'tick', how)
    if (!canvas.current) return
    paint(canvas.current, frame.pixels)
    const { t, alive, cost, held } = frame
    const now = count.current(t - drawn.current)
    drawn.current = t
    if (!now && running) return
    if (now) setPace(now)
    setFigures({ t, alive, cost, held })
    setSaid(frame.votes)
  }

  useEffect(() => {
    open(asked).catch(error => {
      complain(error)
      setModel(now => now || bundledModels[0].name)
    })
  }, [])
  // If a model cannot be used, the world stays as it is.
  useEffect(() => {
    const before = playing.current
    if (model === '') return
    if (before?.model === model && before.graft === graft) return
    let wanted = true
    begin(() => wanted).catch((error: Error) => {
      if (!wanted) return
      // A first model that fails is replaced by another: when that one plays, the message must stay.
      notify(error.message, before ? 'model' : '')
      setModel(before?.model ?? bundledModels[0].name)
      setGraft(before?.graft ?? '')
    })
    return () => { wanted = false }
  }, [model, graft, facts]) // with new facts again: they may be those of a model that was chosen before this one
  // Settings that changed while a model was being opened are applied once it is there.
  useEffect(() => {
    if (facts) call('play', 'change', { size, condition, angle: angle * Math.PI / 180, border: border || facts.border }).then(() => {
      if (size <= sizes.inside.max) settled('size')
      return draw({ steps: 0 })
    }).catch(complain)
  }, [ownSize, angle, border, condition, facts])
  const world = {
    graft: graft && !mine(graft) ? graft : undefined,
    size: ownSize ? String(ownSize) : undefined,
    angle: angle === 0 ? undefined : String(angle),
    border: border || undefined,
    speed: speeds[speed] === 60 ? undefined : String(speed),
    condition: condition === 0 || facts?.conditions.length === 0 ? undefined : String(condition),
  }
  useEffect(() => {
    if (model === '') return
    showAddress('play', {
      model: model === bundledModels[0].name || mine(model) ? undefined : model,
      ...world,
      shared: mine(model)?.text,
      half: mine(graft)?.text,
    })
  }, [model, graft, ownSize, angle, border, speed, condition, facts, own])

  useBeat(async elapsed => {
    if (!running || !facts) return
    const rate = speeds[speed]
    owed.current = Math.min(owed.current + (rate * elapsed) / 1000, 64)
    const steps = Math.floor(owed.current)
    if (rate !== Infinity && steps === 0) return
    owed.current -= steps
    await draw(rate === Infinity ? { budget: 8 } : { steps }).catch(error => {
      setRunning(false)
      complain(error)
    })
  })

  // While the world runs, the figures are those of the last half second; when it stops, those of the picture.
  useEffect(() => { if (!running && facts) draw({ steps: 0 }).catch(complain) }, [running])

  function touch({ x, y }: Cell): void {
    setChanged(true)
    const radius = reachOf(tool, brush, size) ?? 0
    call('play', 'touch', { tool, x, y, radius, paint: paintOf(colour, facts?.paints ?? 4) }).catch(complain)
    if (!running) draw({ steps: 0 }).catch(complain)
  }

  function step(): void {
    setRunning(false)
    draw({ steps: 1 }).catch(complain)
  }

  function reset(): void {
    setChanged(false)
    call('play', 'reset').then(() => draw({ steps: 0 })).catch(complain)
  }

  function choose(name: string): void {
    setModel(name)
    setGraft('')
    setSize(null)
  }

  /** Opens Look inside with the present world. */
  function lookInside(): void {
    const most = sizes.inside.max
    if (size > most) return notify(`Look inside shows grids of at most ${most} × ${most} cells; make this one smaller.`, 'size')
    const left = [graft && `without ${graft}`, angle !== 0 && 'not rotated', border && 'with its own border'].filter(Boolean)
    if (left.length > 0) mention(`Look inside goes on with ${model} as its file says: ${left.join(', ')}.`)
    location.hash = addressOf('inside', { model, start: 'play', size: String(size), t: '0' })
  }

  /** Opens the models that the address contains. */
  async function open({ shared, half }: typeof asked): Promise<void> {
    const held = async (text?: string): Promise<string | null> => (text === undefined ? null : keepModel({ ...await call('send', 'open', text), text }).name)
    const [left, right] = [await held(shared), await held(half)]
    if (left !== null) setModel(left)
    if (right !== null) setGraft(right)
  }

  const rate = speeds[speed]
  const others = [...bundledModels.filter(({ face }) => !face).map(({ name, words }) => [name, words] as const), ...own.map(({ name }) => [name, name] as const)]
  const taking = { check: (file: ModelFile) => call('play', 'look', file), onTaken: choose }
  const unsaid = [model, graft].filter(name => mine(name) && !mine(name)!.text)
  return (
    <FileDrop {...taking}>
      <div class="room play">
        <div class="view">
          <Stage
            canvas={canvas} size={size} reach={reachOf(tool, brush, size)} onTouch={touch}
            label={`The world of ${model}`} onPause={() => setRunning(!running)} onStep={step}
            invitation={facts?.kind === 'classes' && !changed ? 'Draw here' : null}
          />
          <div class="row">
            <button type="button" class="main" onClick={() => setRunning(!running)}>{running ? 'Pause' : 'Play'}</button>
            <button type="button" onClick={step}>Step</button>
            <button type="button" onClick={reset}>Reset</button>
            <button type="button" onClick={lookInside}>Look inside</button>
            <p class="hint">{facts?.kind === 'classes' && tool === 'paint' ? drawing(facts.classes) : meanings[tool]}</p>
          </div>
          <dl class="figures">
            <Figure label="step" value={String(figures.t)} />
            {said && (facts?.classes.length
              ? facts.classes.map((name, i) => <Figure label={name} value={String(said[i])} />)
              : <Figure label="most cells say" value={saying(said)} />)}
            <Figure label="living cells" value={String(figures.alive)} />
            <Figure label="steps / s" value={running && pace ? pace.steps.toFixed(0) : '0'} />
            <Figure label="pictures / s" value={running && pace ? pace.pictures.toFixed(0) : '0'} />
            <Figure label="a step takes" value={`${figures.cost.toFixed(2)} ms`} />
            <Figure label="tensors hold" value={`${(figures.held / 2 ** 20).toFixed(1)} MB`} />
          </dl>
        </div>
        <div class="panel">
          <Section title="Model">
            <Keys
              label="Model" big value={model} onChange={choose}
              options={bundledModels.flatMap(({ name, face }) => (face ? [[name, <img src={face} alt="" width={32} height={32} />, name] as const] : []))}
            />
            <Keys label="Other models" value={model} onChange={choose} options={others} />
            {facts && facts.conditions.length > 0 && (
              <Keys
                label="What it is told to become" value={String(condition)} onChange={n => setCondition(Number(n))}
                options={facts.conditions.map((name, i) => [String(i), faceOf(name), name] as const)}
              />
            )}
            {facts?.kind === 'growing' && (
              <Select
                label="Right half" value={graft} onChange={setGraft}
                options={[['', 'the same'], ...[...bundledModels, ...own].map(({ name }) => name).filter(name => name !== model).map(name => [name, name] as const)]}
              />
            )}
            <FileChooser {...taking} />
            {unsaid.length > 0 && <p class="hint">{unsaid.join(' and ')} {unsaid.length === 1 ? 'is' : 'are'} not in the address of this page; the address that Send makes has {unsaid.length === 1 ? 'it' : 'both'}.</p>}
          </Section>
          <Section title="Hand">
            <Keys label="Tool" value={tool} onChange={setTool} options={tools.filter(([name]) => name !== 'paint' || facts?.kind !== 'latent')} />
            {(tool === 'erase' || tool === 'paint') && <Slider label="Brush" value={brush} text={`${brush} cells`} min={1} max={31} step={2} onInput={setBrush} />}
            {tool === 'paint' && facts?.kind !== 'classes' && (
              <div class="field">
                <label for="colour">Colour</label>
                <input id="colour" type="color" value={colour} onInput={e => setColour(e.currentTarget.value)} />
              </div>
            )}
          </Section>
          <Section title="World">
            <Slider label="Speed" value={speed} text={rate === Infinity ? 'as fast as it goes' : `${rate} steps/s`} min={0} max={speeds.length - 1} onInput={setSpeed} />
            <Slider label="Rotate" value={angle} text={`${angle}°`} min={-180} max={180} step={5} onInput={setAngle} />
            <Slider label="Grid" value={size} text={`${size} × ${size}`} {...sizes.play} step={8} onInput={setSize} />
            <Select
              label="Border" value={border || facts?.border || 'zero'} onChange={setBorder}
              options={[['zero', 'nothing beyond'], ['circular', 'a torus'], ['reflect', 'a mirror'], ['replicate', 'the edge again']]}
            />
          </Section>
          <Send key={JSON.stringify([model, graft, world])} models={() => Promise.all([model, ...(graft ? [graft] : [])].map(modelOf))} size={size} settings={world} />
        </div>
      </div>
    </FileDrop>
  )
}
