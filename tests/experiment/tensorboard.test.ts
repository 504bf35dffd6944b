// Event files of TensorBoard, read back by an independent reader of the format (event-reader.ts).

import fc from 'fast-check'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'
import { encodeTensorboard, type Summary } from '../../src/experiment/index.ts'
import { openTensorboard } from '../../src/node/index.ts'
import { crc32c, readEvents, readHparams, type Value } from './event-reader.ts'

const folder = await mkdtemp(join(tmpdir(), 'cellgrad-tensorboard-'))
afterAll(() => rm(folder, { recursive: true }))

const tag = fc.string({ minLength: 1, unit: 'grapheme' })
const number = fc.double({ noNaN: true, noDefaultInfinity: true })
const summary: fc.Arbitrary<Summary> = fc.oneof(
  fc.record({ tag, scalar: fc.float() }),
  fc.record({ tag, png: fc.uint8Array({ maxLength: 300 }), width: fc.integer({ min: 1, max: 2000 }), height: fc.integer({ min: 1, max: 2000 }) }),
  fc.record({ tag, histogram: fc.array(number, { minLength: 1 }) }),
  fc.record({ tag, text: fc.string({ unit: 'grapheme' }) }),
)

function expectSummary(read: Value, written: Summary): void {
  expect(read.tag).toBe(written.tag)
  if ('scalar' in written) expect(read.simple_value).toBe(written.scalar)
  else if ('png' in written) {
    expect(read.image).toMatchObject({ height: written.height, width: written.width, colorspace: 4 })
    expect([...read.image!.encoded_image_string ?? []]).toEqual([...written.png])
  } else if ('text' in written) {
    expect(read.metadata?.plugin_data.plugin_name).toBe('text')
    expect(read.tensor).toMatchObject({ dtype: 7, tensor_shape: { dim: [{ size: 1 }] } })
    expect(Buffer.from(read.tensor!.string_val[0]).toString()).toBe(written.text)
  } else {
    const list = [...written.histogram as number[]]
    const { min, max, num, sum, sum_squares, bucket_limit, bucket } = read.histo!
    expect([min + 0, max + 0, num]).toEqual([Math.min(...list) + 0, Math.max(...list) + 0, list.length]) // + 0: −0 is 0
    expect(sum + 0).toBe(list.reduce((a, b) => a + b, 0) + 0)
    expect(sum_squares).toBe(list.reduce((a, b) => a + b * b, 0))
    expect(bucket.reduce((a, b) => a + b)).toBe(list.length)
    bucket.forEach((count, i) => {
      const [from, to] = [i === 0 ? min : bucket_limit[i - 1], bucket_limit[i]]
      const last = i === bucket.length - 1
      expect(count).toBe(list.filter(x => (i === 0 || x >= from) && (last || x < to)).length)
    })
  }
}

it('hold what was written, in records whose CRCs are right', async () => {
  await fc.assert(fc.asyncProperty(fc.array(fc.tuple(fc.maxSafeNat(), fc.array(summary, { maxLength: 4 })), { maxLength: 4 }), async list => {
    const bytes = list.map(([step, summaries]) => encodeTensorboard({ type: 'summaries', time: 1.5, step, summaries }))
    const events = readEvents(Buffer.concat(bytes))
    expect(events).toHaveLength(list.length)
    for (const [i, [step, summaries]] of list.entries()) {
      expect(events[i]).toMatchObject({ wall_time: 1.5, step })
      summaries.forEach((written, j) => expectSummary(events[i].summary!.value[j], written))
    }
  }))
})

it('have the CRC of RFC 3720', () => {
  // Appendix B.4, the CRC of 32 zeros and of 32 ones: this checks the reader itself.
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa)
  expect(crc32c(new Uint8Array(32).fill(255))).toBe(0x62a8ab43)
})

it('have the hyperparameters of a run, and say when it has ended', () => {
  fc.assert(fc.property(fc.dictionary(tag, fc.oneof(number, fc.string(), fc.boolean())), fc.array(tag), (values, metrics) => {
    fc.pre(!Object.hasOwn(values, '__proto__'))
    const content = (bytes: Uint8Array) => readEvents(Buffer.from(bytes)).map(event => {
      const { plugin_name, content } = event.summary!.value[0].metadata!.plugin_data
      expect(plugin_name).toBe('hparams')
      return readHparams(content!)
    })
    const [{ experiment }, { session_start_info: start }] = content(encodeTensorboard({ type: 'hyperparameters', time: 1, values, metrics }))
    const name = { number: 'FLOAT64', string: 'STRING', boolean: 'BOOL' }
    expect(experiment!.hparam_infos ?? []).toEqual(Object.entries(values).map(([name_, x]) => ({ name: name_, type: `DATA_TYPE_${name[typeof x as 'number']}` })))
    expect((experiment!.metric_infos ?? []).map(({ name: { tag } }) => tag)).toEqual(metrics)
    expect(Object.fromEntries(Object.entries(start!.hparams ?? {}).map(([k, v]) => [k, Object.values(v)[0]]))).toEqual(values)
    expect(content(encodeTensorboard({ type: 'end', time: 2 }))[0].session_end_info).toMatchObject({ status: 'STATUS_SUCCESS' })
  }))
})

it('are appended to, and a resumed run declares void the steps that it repeats', async () => {
  const first = await openTensorboard(folder)
  await first.write(1, [{ tag: 'loss', scalar: 0.5 }])
  await first.write(2, [{ tag: 'loss', scalar: 0.25 }])
  const [name] = await readdir(folder)
  const before = await readFile(join(folder, name))
  await first.close() // killed, with a checkpoint at 1
  const second = await openTensorboard(folder, 1)
  await second.write(2, [{ tag: 'loss', scalar: 0.125 }])
  await second.close()
  const names = (await readdir(folder)).sort()
  expect(names).toHaveLength(2)
  expect(names[0]).toBe(name)
  expect(names[0]).toMatch(/^events\.out\.tfevents\.\d+\.\d{3}\.cellgrad\.\d+$/)
  expect(await readFile(join(folder, names[0]))).toEqual(before)
  const events = readEvents(await readFile(join(folder, names[1])))
  expect(events).toMatchObject([
    { file_version: 'brain.Event:2' }, { step: 2, session_log: { status: 'START' } }, { step: 2, summary: { value: [{ simple_value: 0.125 }] } },
  ])
})

it('are in the order in which they were written, even if the clock was set back between them', async () => {
  const at = join(folder, 'clock')
  for (const now of [5e12, 4e12, 4e12]) {
    vi.setSystemTime(now)
    await (await openTensorboard(at, now === 5e12 ? 0 : 3)).close()
  }
  vi.useRealTimers()
  const files = await Promise.all((await readdir(at)).sort().map(async name => readEvents(await readFile(join(at, name)))))
  expect(files.map(events => events.length)).toEqual([1, 2, 2]) // the first begins at 0, and voids nothing
})

it('refuse values that are no events in one sentence', () => {
  const write = (summary: unknown) => () => encodeTensorboard({ type: 'summaries', time: 1, step: 0, summaries: [summary as Summary] })
  expect(write({ tag: 'w', histogram: [] })).toThrow('tensorboard: w is [], expected at least one number.')
  expect(write({ tag: 'w', histogram: [1, NaN] })).toThrow('tensorboard: w[1] is NaN, expected a finite number.')
  expect(write({ tag: 'w', scalar: '1' })).toThrow('tensorboard: w is "1", expected a number.')
  expect(write({ tag: 'w' })).toThrow('tensorboard: w is undefined, expected a text.')
  expect(write(null)).toThrow('tensorboard: a summary is null, expected { tag, scalar }')
  expect(() => encodeTensorboard({ type: 'sumaries' } as never)).toThrow("tensorboard: type is \"sumaries\", expected 'file'")
  expect(() => encodeTensorboard({ type: 'end', time: NaN })).toThrow('tensorboard: time is NaN, expected seconds since 1970.')
  expect(() => encodeTensorboard({ type: 'end', time: 1, step: 2 } as never)).toThrow('tensorboard: there is no option "step"')
  expect(() => encodeTensorboard({ type: 'hyperparameters', time: 1, values: { a: null } as never, metrics: [] })).toThrow('tensorboard: a is null')
})
