/**
 * The progress display of a training run. On a terminal: the target, the pattern that the rule grows at present, and a bar
 * below. Elsewhere: a line every few per cent or seconds.
 */
import cliProgress from 'cli-progress'
import { filmStrip, type Image } from '../../nca/files/image.ts'
import { block, isLive, pictureLines } from './screen.ts'

/** The progress of a run; `judged` is the result of the last validation in words, if there was one. */
export type Standing = { readonly iteration: number; readonly loss: number; readonly judged?: string }

export type Display = {
  /** Changes the planned number of iterations. */
  replan(iterations: number): void
  /** To be called after each iteration. */
  update(standing: Standing): void
  /** Shows a picture of the pattern, if this display has pictures; calls `paint` no more than about once a second. */
  picture(paint: () => Promise<Image>): Promise<void>
  end(): void
}

/** The display for this output. */
export function showProgress(output: NodeJS.WriteStream, iterations: number, from: number, target: Image): Display {
  return isLive(output) ? liveDisplay(output, iterations, from, target) : lineDisplay(output, iterations)
}

function liveDisplay(output: NodeJS.WriteStream, iterations: number, from: number, target: Image): Display {
  const picture = block(output)
  let total = iterations
  const pace = measurePace()
  const bar = new cliProgress.SingleBar({
    stream: output,
    format: '{bar} {value}/{total}  error {error}  {pace}',
    barsize: 20,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
  })
  let next = 0
  let started = false
  return {
    replan(iterations) {
      total = iterations
      bar.setTotal(total)
    },
    update(standing) {
      bar.update(standing.iteration, { error: inWords(standing), pace: pace(standing.iteration, total) })
    },
    async picture(paint) {
      if (performance.now() < next) return
      const began = performance.now()
      const image = await paint()
      picture.draw(pictureLines(beside(target, image), output))
      // A picture costs a rollout: at most a twentieth of the time may go into pictures.
      next = performance.now() + Math.max(1000, 20 * (performance.now() - began))
      if (!started) bar.start(total, from, { error: '–', pace: '' })
      started = true
    },
    end() {
      bar.stop()
      picture.end()
    },
  }
}

/** The target and the present pattern: side by side, or, if they are rows of several pictures, one above the other. */
function beside(target: Image, image: Image): Image {
  if (target.width !== image.width || target.height !== image.height) return image // a texture may be learned on another grid
  return filmStrip([target, image], { gap: 4, columns: isRow(image) ? 1 : 2 })
}

/** Whether a picture is a row of several. */
export function isRow({ width, height }: Image): boolean {
  return width > 1.5 * height
}

function lineDisplay(output: NodeJS.WriteStream, iterations: number): Display {
  const pace = measurePace()
  let total = iterations
  let last = { at: -Infinity, iteration: 0 }
  return {
    replan(iterations) { total = iterations },
    update(standing) {
      const { iteration } = standing
      const now = performance.now()
      const speed = pace(iteration, total)
      if (now - last.at < 5000 && iteration - last.iteration < total / 20 && iteration < total) return
      last = { at: now, iteration }
      output.write(`iteration ${iteration}/${total}  error ${inWords(standing)}  ${speed}\n`)
    },
    async picture() {},
    end() {},
  }
}

/** Iterations per second over the last few seconds, and the time left at that pace. */
function measurePace(): (iteration: number, total: number) => string {
  const marks: { at: number; iteration: number }[] = []
  return (iteration, total) => {
    const now = { at: performance.now(), iteration }
    marks.push(now)
    while (marks.length > 2 && now.at - marks[0].at > 10_000) marks.shift()
    const perSecond = (1000 * (iteration - marks[0].iteration)) / (now.at - marks[0].at)
    if (!(perSecond > 0)) return ''
    return `${perSecond.toPrecision(3)} iterations/s  ${duration((total - iteration) / perSecond)} left`
  }
}

/** The mean squared error below which a picture is easily mistaken for its target. */
export const goodLikeness = 0.001

function inWords({ loss, judged }: Standing): string {
  return judged === undefined ? errorOf(loss) : `${errorOf(loss)}  validation ${judged}`
}

/** A loss as text: two digits. */
export function errorOf(loss: number): string {
  return String(Number(loss.toPrecision(2)))
}

/** 4000 → '1h 06m' */
export function duration(seconds: number): string {
  const whole = Math.round(seconds)
  const two = (n: number): string => String(n).padStart(2, '0')
  if (whole < 60) return `${whole}s`
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`
  return `${Math.floor(whole / 3600)}h ${two(Math.floor(whole / 60) % 60)}m`
}
