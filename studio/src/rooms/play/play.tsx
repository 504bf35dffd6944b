/**
 * Play: a trained rule grows, and can be hurt.
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { showAddress, type Settings } from '../../address.ts'
import { call } from '../../engine/client.ts'
import { Figure, Keys, Section, Select, Slider } from '../../ui/fields.tsx'
import { complain } from '../../ui/notice.tsx'
import { paint } from '../../ui/picture.ts'
import { openIn, takeModel } from '../handover.ts'
import { bundledModels, bytesOf } from '../models.ts'
import type { Border, Facts, File } from './commands.ts'
import { Send } from '../send/send.tsx'
import { FileChooser, FileDrop } from './file-drop.tsx'
import { pacer, useBeat, type Pace } from './frames.ts'
import { Stage, type Cell } from './stage.tsx'
import { meanings, paintOf, reachOf, speeds, tools, type Tool } from './tools.ts'

const calm = matchMedia('(prefers-reduced-motion: reduce)').matches

/** Sizes of the grid in the slider. Without a choice it is that on which the model was trained. */
const sizes = { min: 16, max: 256 }

function numberOf(text: string | undefined, { min, max, otherwise }: { min: number; max: number; otherwise: number }): number {
  const n = Number(text)
  return text !== undefined && Number.isInteger(n) && n >= min && n <= max ? n : otherwise
}

/** The picture of a condition that is called after an emoji, else its name. */
function faceOf(name: string): VNode | string {
  const face = bundledModels.find(bundled => bundled.name === name)?.face
  return face ? <img src={face} alt="" width={24} height={24} /> : name
}

/** What most cells say, and how many of them. */
function saying(votes: readonly number[]): string {
  const all = votes.reduce((a, b) => a + b, 0)
  const most = votes.indexOf(Math.max(...votes))
  return all === 0 ? '–' : `${most} (${Math.round((100 * votes[most]) / all)} %)`
}

/** What to draw for a rule of classes, of which a segmentation has names. */
function drawing(classes: readonly string[]): string {
  return classes.length > 0 ? `Draw: every cell says what it is, ${classes.join(', ')}.` : 'Draw a digit: its cells agree on which it is.'
}

export function Play({ settings }: { settings: Settings }): VNode {
  const canvas = useRef<HTMLCanvasElement>(null)
  const [dropped, setDropped] = useState<readonly File[]>([])
  /** The model that the address holds, and its name. */
  const [shared, setShared] = useState<{ readonly name: string; readonly text: string } | null>(null)
  const [model, setModel] = useState(settings.model ?? bundledModels[0].name)
  const [graft, setGraft] = useState(settings.graft ?? '')
  const [ownSize, setSize] = useState<number | null>(numberOf(settings.size, { ...sizes, otherwise: 0 }) || null)
  const [angle, setAngle] = useState(numberOf(settings.angle, { min: -180, max: 180, otherwise: 0 }))
  const [condition, setCondition] = useState(numberOf(settings.condition, { min: 0, max: 255, otherwise: 0 }))
  const [said, setSaid] = useState<readonly number[] | null>(null)
  const [border, setBorder] = useState<Border | ''>((['zero', 'circular', 'reflect', 'replicate'] as const).find(name => name === settings.border) ?? '')
  const [speed, setSpeed] = useState(numberOf(settings.speed, { min: 0, max: speeds.length - 1, otherwise: speeds.indexOf(60) }))
  const [running, setRunning] = useState(!calm)
  const [tool, setTool] = useState<Tool>('erase')
  const [brush, setBrush] = useState(9)
  const [colour, setColour] = useState('#e0522f')
  const [facts, setFacts] = useState<Facts | null>(null)
  const size = ownSize ?? facts?.size ?? 72
  const [pace, setPace] = useState<Pace | null>(null)
  const [figures, setFigures] = useState({ t: 0, alive: 0, cost: 0, held: 0 })
  const count = useRef(pacer())
  const owed = useRef(0)
  const drawn = useRef(0)

  const names = [...bundledModels.map(({ name }) => name), ...dropped.map(({ name }) => name)]

  async function fileOf(name: string): Promise<File> {
    const own = dropped.find(file => file.name === name)
    if (own) return own
    const found = bundledModels.find(bundled => bundled.name === name)
    if (!found) throw new Error(`there is no model ${name} in this page; there are ${names.join(', ')}.`)
    return { name, bytes: await bytesOf(found) }
  }

  /** Begins with the models, unless others have been chosen before their files were there. */
  async function begin(isWanted: () => boolean): Promise<void> {
    const files = await Promise.all([model, ...(graft ? [graft] : [])].map(fileOf))
    if (!isWanted()) return
    const known = await call('play', 'begin', files, { condition, angle: angle * Math.PI / 180, ...(ownSize && { size: ownSize }), ...(border && { border }) })
    setFacts(known)
    if (known.conditions.length > 0 && condition >= known.conditions.length) setCondition(0)
    if (known.kind === 'classes') {
      setTool('paint')
      setBrush(3)
      setColour('#ffffff')
    }
    await draw(calm ? { steps: 96 } : { steps: 0 })
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
    const given = takeModel()
    if (given) accept(given).catch(complain)
    else if (settings.shared !== undefined) open(settings.shared).catch(complain)
  }, [])
  // A model that cannot be used leaves what is there as it is.
  useEffect(() => {
    let wanted = true
    begin(() => wanted).catch(error => {
      complain(error)
      if (!wanted || facts) return
      // Where nothing is there yet, the address has named something else than there is.
      setModel(bundledModels[0].name)
      setGraft('')
    })
    return () => { wanted = false }
  }, [model, graft, dropped])
  useEffect(() => {
    if (facts) call('play', 'change', { size, condition, angle: angle * Math.PI / 180, border: border || facts.border }).then(() => draw({ steps: 0 })).catch(complain)
  }, [ownSize, angle, border, condition])
  const world = {
    graft: graft && !dropped.some(({ name }) => name === graft) ? graft : undefined,
    size: ownSize ? String(ownSize) : undefined,
    angle: angle === 0 ? undefined : String(angle),
    border: border || undefined,
    speed: speeds[speed] === 60 ? undefined : String(speed),
    condition: condition === 0 || facts?.conditions.length === 0 ? undefined : String(condition),
  }
  useEffect(() => showAddress('play', {
    model: model === bundledModels[0].name || dropped.some(({ name }) => name === model) ? undefined : model,
    ...world,
    shared: model === shared?.name ? shared.text : undefined,
  }), [model, graft, ownSize, angle, border, speed, condition, facts, dropped, shared])

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

  function touch({ x, y }: Cell): void {
    const radius = reachOf(tool, brush, size) ?? 0
    call('play', 'touch', { tool, x, y, radius, paint: paintOf(colour, facts?.paints ?? 4) }).catch(complain)
    if (!running) draw({ steps: 0 }).catch(complain)
  }

  function step(): void {
    setRunning(false)
    draw({ steps: 1 }).catch(complain)
  }

  function reset(): void {
    call('play', 'reset').then(() => draw({ steps: 0 })).catch(complain)
  }

  /** Takes a file that is a model; of another one, a sentence is said and all stays as it is. */
  async function accept(file: File): Promise<void> {
    await call('play', 'look', file)
    setDropped(before => [...before.filter(({ name }) => name !== file.name), file])
    setModel(file.name)
    setGraft('')
    setSize(null)
  }

  /** Goes to the room that shows what happens here, from this moment on. */
  function lookInside(): void {
    if (size > 96) return complain(new Error('Look inside shows grids of at most 96 × 96 cells; make this one smaller.'))
    fileOf(model).then(file => openIn('inside', file, { start: 'play', size: String(size), t: '0' })).catch(complain)
  }

  /** Opens the model that an address holds, with the settings beside it. */
  async function open(text: string): Promise<void> {
    const [size, half] = [ownSize, graft]
    const file = await call('send', 'open', text)
    await accept(file)
    setSize(size)
    setGraft(half)
    setShared({ name: file.name, text })
  }

  const rate = speeds[speed]
  const others = [...bundledModels.filter(({ face }) => !face), ...dropped]
  return (
    <FileDrop onFile={file => { accept(file).catch(complain) }}>
      <div class="room">
        <div class="view">
          <Stage
            canvas={canvas} size={size} reach={reachOf(tool, brush, size)} onTouch={touch}
            label={`The world of ${model}`} onPause={() => setRunning(!running)} onStep={step}
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
              label="Model" big value={model} onChange={name => { setModel(name); setGraft(''); setSize(null) }}
              options={bundledModels.flatMap(({ name, face }) => (face ? [[name, <img src={face} alt="" width={32} height={32} />, name] as const] : []))}
            />
            {others.length > 0 && (
              <Keys label="Other models" value={model} onChange={name => { setModel(name); setGraft(''); setSize(null) }} options={others.map(({ name }) => [name, name] as const)} />
            )}
            {facts && facts.conditions.length > 0 && (
              <Keys
                label="What it is told to become" value={String(condition)} onChange={n => setCondition(Number(n))}
                options={facts.conditions.map((name, i) => [String(i), faceOf(name), name] as const)}
              />
            )}
            {facts?.kind === 'growing' && (
              <Select
                label="Right half" value={graft} onChange={setGraft}
                options={[['', 'the same'], ...names.filter(name => name !== model).map(name => [name, name] as const)]}
              />
            )}
            <FileChooser onFile={file => { accept(file).catch(complain) }} />
          </Section>
          <Section title="Hand">
            <Keys label="Tool" value={tool} onChange={setTool} options={tools} />
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
            <Slider label="Grid" value={size} text={`${size} × ${size}`} min={sizes.min} max={sizes.max} step={8} onInput={setSize} />
            <Select
              label="Border" value={border || facts?.border || 'zero'} onChange={setBorder}
              options={[['zero', 'nothing beyond'], ['circular', 'a torus'], ['reflect', 'a mirror'], ['replicate', 'the edge again']]}
            />
          </Section>
          <Send file={() => fileOf(model)} size={size} settings={world} />
        </div>
      </div>
    </FileDrop>
  )
}
