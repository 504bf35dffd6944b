/**
 * TensorBoard event files as bytes: records (`record.ts`), each an `Event` message of TensorFlow's event.proto, with
 * summaries of summary.proto. Scalars, pictures and histograms are in the fields that TensorBoard has always read; text and
 * hyperparameters are for plugins, which are named in a summary's metadata (TensorBoard's
 * plugins/hparams/plugin_data.proto).
 *
 * Files are only appended to. A run that goes on from an earlier step begins a new file in the same folder, and says from which
 * step on the old ones are void.
 */
import {
  check, checkOptions, checkWord, isNumber, isObject, isWhole, keysOf, later, required, text as aText, wholeFrom,
  type Options,
} from '../../backends/options.ts'
import { bytes, double, doubles, float, message, text, whole, type Field } from './protobuf.ts'
import { encodeRecord } from './record.ts'

/** What TensorBoard shows under a name, `tag`; a slash in the tag makes groups. */
export type Summary =
  /** A number, on a curve over the steps. */
  | { readonly tag: string; readonly scalar: number }
  /** A picture, as the bytes of a PNG file. */
  | { readonly tag: string; readonly png: Uint8Array; readonly width: number; readonly height: number }
  /** A histogram of finite numbers. */
  | { readonly tag: string; readonly histogram: ArrayLike<number> }
  /** A text, shown as Markdown. */
  | { readonly tag: string; readonly text: string }

/** The events of a file, in order; `time` is in seconds since 1970. */
export type TensorboardEvent =
  /** The first event of each file, and only the first. */
  | { readonly type: 'file'; readonly time: number }
  /** Events of this step and later ones in other files are void. */
  | { readonly type: 'restart'; readonly time: number; readonly step: number }
  /** Summaries at a step, a whole number ≥ 0. */
  | { readonly type: 'summaries'; readonly time: number; readonly step: number; readonly summaries: readonly Summary[] }
  /** The configuration of the run, and the tags of its metrics: a row of the table of hyperparameters. */
  | {
    readonly type: 'hyperparameters'
    readonly time: number
    readonly values: Readonly<Record<string, number | string | boolean>>
    readonly metrics: readonly string[]
  }
  /** The run has reached its end. */
  | { readonly type: 'end'; readonly time: number }

type Typed<T> = Extract<TensorboardEvent, { type: T }>

const time = required({ fits: x => isNumber(x, 0), expected: 'seconds since 1970' })
const step = required(wholeFrom(0))
const type = later
const kinds: { readonly [T in TensorboardEvent['type']]: Options } = {
  file: keysOf<Typed<'file'>>({ type, time }),
  restart: keysOf<Typed<'restart'>>({ type, time, step }),
  summaries: keysOf<Typed<'summaries'>>({
    type, time, step, summaries: required({ fits: Array.isArray, expected: 'a list of summaries' }),
  }),
  hyperparameters: keysOf<Typed<'hyperparameters'>>({
    type, time,
    values: required({ fits: isObject, expected: 'numbers, texts and truths by name' }),
    metrics: required({ fits: x => Array.isArray(x) && x.every(aText.fits), expected: 'a list of tags' }),
  }),
  end: keysOf<Typed<'end'>>({ type, time }),
}

/**
 * An event as bytes, to be appended to an event file (`openTensorboard` of `cellgrad/node` makes and writes them).
 *
 * @throws one sentence where it is no event, or a histogram has no numbers or one that is not finite
 * @example encodeTensorboard({ type: 'summaries', time: Date.now() / 1000, step: 100, summaries: [{ tag: 'loss', scalar: 0.02 }] })
 */
export function encodeTensorboard(event: TensorboardEvent): Uint8Array {
  check(isObject(event), 'tensorboard', 'the event', event, '{ type, time, … }')
  checkWord('tensorboard', 'type', event.type, Object.keys(kinds))
  checkOptions('tensorboard', event, kinds[event.type])
  const record = (...fields: readonly Field[]): Uint8Array => encodeRecord(message(double(1, event.time), ...fields))
  const summary = (value: Uint8Array): Field => bytes(5, bytes(1, value))
  switch (event.type) {
    case 'file': return record(text(3, 'brain.Event:2'))
    case 'restart': return record(whole(2, event.step), bytes(7, whole(1, 1)))
    case 'summaries': return record(whole(2, event.step), bytes(5, message(...event.summaries.map(s => bytes(1, valueOf(s))))))
    case 'hyperparameters': return message(...hyperparameters(event).map(value => record(summary(value))))
    case 'end': return record(summary(session('end', bytes(4, message(whole(1, 1), double(2, event.time))))))
  }
}

/** Two values of a summary: the hyperparameters that exist, and their values in this run. */
function hyperparameters({ time, values, metrics }: Typed<'hyperparameters'>): Uint8Array[] {
  const typed = Object.entries(values).map(([name, value]) => ({ name, ...hyperparameter(name, value) }))
  return [
    value('_hparams_/experiment', metadata('hparams', bytes(2, message(
      double(3, time),
      ...typed.map(({ name, type }) => bytes(4, message(text(1, name), whole(4, type)))),
      ...metrics.map(tag => bytes(5, bytes(1, text(2, tag)))),
    )))),
    session('start', bytes(3, message(
      ...typed.map(({ name, field }) => bytes(1, message(text(1, name), bytes(2, field)))), double(5, time),
    ))),
  ]
}

/** A value as google.protobuf.Value, and the number of its DataType. */
function hyperparameter(name: string, x: unknown): { type: number; field: Field } {
  if (typeof x === 'string') return { type: 1, field: text(3, x) }
  if (typeof x === 'boolean') return { type: 2, field: whole(4, Number(x)) }
  check(isNumber(x), 'tensorboard', name, x, 'a finite number, a text, true or false')
  return { type: 3, field: double(2, x as number) }
}

function session(moment: 'start' | 'end', content: Field): Uint8Array {
  return value(`_hparams_/session_${moment}_info`, metadata('hparams', content))
}

function value(tag: string, ...fields: readonly Field[]): Uint8Array {
  return message(text(1, tag), ...fields)
}

function metadata(plugin: string, content: Field): Field {
  return bytes(9, bytes(1, message(text(1, plugin), bytes(2, content))))
}

const stringType = 7 // DT_STRING of types.proto
const coloursWithAlpha = 4 // of Summary.Image

function valueOf(summary: Summary): Uint8Array {
  const expected = '{ tag, scalar }, { tag, png, width, height }, { tag, histogram } or { tag, text }'
  check(isObject(summary) && aText.fits(summary.tag), 'tensorboard', 'a summary', summary, expected)
  const { tag } = summary
  if ('scalar' in summary) {
    check(typeof summary.scalar === 'number', 'tensorboard', tag, summary.scalar, 'a number')
    return value(tag, float(2, summary.scalar))
  }
  if ('png' in summary) {
    const { png, width, height } = summary
    check(png instanceof Uint8Array && isWhole(width, 1) && isWhole(height, 1), 'tensorboard', tag, summary, expected)
    return value(tag, bytes(4, message(whole(1, height), whole(2, width), whole(3, coloursWithAlpha), bytes(4, png))))
  }
  if ('histogram' in summary) return value(tag, bytes(5, histogram(tag, summary.histogram)))
  check(aText.fits(summary.text), 'tensorboard', tag, summary.text, 'a text')
  const oneText = bytes(2, bytes(2, whole(1, 1))) // a tensor [1]
  return value(tag, bytes(8, message(whole(1, stringType), oneText, text(8, summary.text))), metadata('text', message()))
}

const buckets = 32

/** HistogramProto: buckets of equal width between the least and the greatest number; one bucket if all numbers are equal. */
function histogram(tag: string, numbers: ArrayLike<number>): Uint8Array {
  check(numbers?.length > 0, 'tensorboard', tag, numbers, 'at least one number')
  let [least, most, sum, squares] = [Infinity, -Infinity, 0, 0]
  for (let i = 0; i < numbers.length; i++) {
    const x = numbers[i]
    check(isNumber(x), 'tensorboard', `${tag}[${i}]`, x, 'a finite number')
    least = Math.min(least, x)
    most = Math.max(most, x)
    sum += x
    squares += x * x
  }
  const width = most / buckets - least / buckets
  const n = width > 0 ? buckets : 1
  const limits = Array.from({ length: n }, (_, i) => (i === n - 1 ? most : least + (i + 1) * width))
  const counts = limits.map(() => 0)
  for (let i = 0; i < numbers.length; i++) {
    const found = limits.findIndex(limit => numbers[i] < limit)
    counts[found < 0 ? n - 1 : found]++
  }
  return message(
    double(1, least), double(2, most), double(3, numbers.length), double(4, sum), double(5, squares),
    doubles(6, limits), doubles(7, counts),
  )
}
