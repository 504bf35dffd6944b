// Sweeps by a queue in Redis: workers are killed at random moments, Redis is killed and restarted, and every
// result is there once, the same as that of an undisturbed sweep. With CELLGRAD_LONG there are 40 runs.
//
//     CELLGRAD_SEED=1234 npx vitest run tests/cli/queue.test.ts     the moments of a run that failed

import { copyFile, readdir, readFile, rm, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { unwritten } from '../../src/cli/input/usage.ts'
import { nameOfProcess } from '../../src/cli/run/lock.ts'
import { differenceOf } from '../../src/cli/sweep/surroundings.ts'
import { key, uniformAt } from '../../src/index.ts'
import { long } from '../long.ts'
import { seed } from '../seed.ts'
import { redisServer, startRedis } from './redis.ts'
import { killer, noPackage, run, start, temporaryFolder, writeConfig, type RunOptions, type Running } from './run.ts'
import { removeDisk, smallDisk } from './small-disk.ts'

const folder = temporaryFolder()

/** The result of each run: the bits of its checkpoint, and its losses. */
async function results(name: string): Promise<Record<string, unknown>> {
  const ids = (await readdir(folder(name, 'runs'))).sort()
  return Object.fromEntries(await Promise.all(ids.map(async id => {
    const file = (file: string): Promise<Buffer> => readFile(folder(name, 'runs', id, file))
    const metrics = (await file('metrics.jsonl')).toString().trimEnd().split('\n').map(line => (JSON.parse(line) as { loss: number }).loss)
    return [id, { checkpoint: (await file('checkpoint.safetensors')).toString('base64'), metrics }]
  })))
}

describe.skipIf(redisServer === undefined)('a sweep by a queue', () => {
  it.runIf(long)('has the result of an undisturbed one, whichever processes are killed', async () => {
    console.log(`kill -9 at moments of seed ${seed}`)
    const moment = (i: number): number => uniformAt(key(seed), i)
    const runs = 40
    await writeConfig(folder('base.yaml'), `iterations: 24\n`)
    await writeFile(folder('sweep.yaml'), `base: base.yaml\nfields: { train.rate: { from: 1.0e-3, to: 3.0e-3 } }\ndesign: latinHypercube\nruns: ${runs}\n`)
    await mkdir(folder('redis'))
    const redis = await startRedis(folder('redis'), 'secret')
    const worker = () => start(['worker', '--queue', redis.url], { env: { TMPDIR: folder() } })
    const workers = Array.from({ length: 3 }, worker)
    try {
      const undisturbed = run(['sweep', folder('sweep.yaml'), '--out', folder('plain'), '--workers', '1'])
      const sweep = start(['sweep', folder('sweep.yaml'), '--out', folder('queued'), '--queue', redis.url])
      let isOver = false
      void sweep.result.then(() => { isOver = true })
      const disturb = async (): Promise<void> => {
        for (let i = 0; !isOver; i++) {
          await sleep(2000 + 12_000 * moment(i))
          if (isOver || i >= 9) return
          if (i === 4) await redis.restart(15_000) // longer than the locks of jobs last
          const killed = i % workers.length
          workers[killed].child.kill('SIGKILL')
          workers[killed] = worker()
        }
      }
      const [ended] = await Promise.all([sweep.result, undisturbed, disturb()])
      expect(ended.status, ended.err).toBe(0)
      expect(ended.out).toContain(`${runs} candidates, up to `)
      const found = await results('queued')
      expect(Object.keys(found)).toHaveLength(runs)
      expect(found).toEqual(await results('plain'))
      expect(await readFile(folder('queued', 'report.md'), 'utf8')).toBe(await readFile(folder('plain', 'report.md'), 'utf8'))
      // Workers that are told to stop do so.
      for (const { child } of workers) child.kill('SIGTERM')
      for (const { result } of workers) expect((await result).status).toBe(0)
    } finally {
      for (const { child } of workers) child.kill('SIGKILL')
      await redis.stop()
    }
  }, 1_200_000)

  it.runIf(long)('uses TLS with a password, only with a server whose certificate is trusted', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 8\nreport: { tensorboard: true }\n')
    await writeFile(folder('two.yaml'), 'base: base.yaml\nfields: { batch: [2, 3] }\n')
    await mkdir(folder('tls'))
    const redis = await startRedis(folder('tls'), 'secret', true)
    const env: Record<string, string> = { NODE_EXTRA_CA_CERTS: folder('tls', 'ca.crt'), TMPDIR: folder() }
    const worker = start(['worker', '--queue', redis.url], { env })
    try {
      const sweep = (out: string, url: string, given = env) => run(['sweep', folder('two.yaml'), '--out', folder(out), '--queue', url], { env: given })
      expect(await sweep('by-tls', redis.url)).toMatchObject({ status: 0, err: '' })
      const ids = Object.keys(await results('by-tls'))
      expect(ids).toHaveLength(2)
      for (const id of ids) expect(await readdir(folder('by-tls', 'runs', id, 'tensorboard'))).toHaveLength(1)
      const [untrusted, wrong, plain] = await Promise.all([
        sweep('never', redis.url, { NODE_EXTRA_CA_CERTS: '' }), sweep('never-2', redis.url.replace('secret', 'wrong')), sweep('never-3', redis.url.replace('rediss', 'redis')),
      ])
      expect(untrusted).toMatchObject({ status: 1, err: expect.stringMatching(/^queue: cannot use rediss:\/\/…@127\.0\.0\.1:\d+ \(.*certificate.*\)\n$/) })
      expect(wrong).toMatchObject({ status: 1, err: expect.stringMatching(/^queue: cannot use rediss:\/\/…@127\.0\.0\.1:\d+ \(WRONGPASS .*\)\n$/) })
      expect(plain).toMatchObject({ status: 1, err: expect.stringMatching(/^queue: cannot use redis:\/\/…@127\.0\.0\.1:\d+ \(.+\)\n$/) })
    } finally {
      worker.child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('ends a worker whose data are not those of the sweep, and leaves the runs to others', async () => {
    const [here, there] = [folder('here'), folder('there')]
    for (const [at, picture] of [[here, 'lizard-1f98e'], [there, 'butterfly-1f98b']]) {
      await mkdir(at)
      await copyFile(join('assets/emoji', `${picture}.png`), join(at, 'picture.png'))
    }
    await writeConfig(join(here, 'base.yaml'), 'iterations: 8\ntarget: picture.png\n')
    await writeFile(join(here, 'one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('versions'))
    const redis = await startRedis(folder('versions'))
    const sweep = start(['sweep', 'one.yaml', '--queue', redis.url], { cwd: here })
    try {
      const worker = (cwd: string) => run(['worker', '--queue', redis.url], { cwd })
      expect(await worker(there)).toMatchObject({ status: 1, err: 'worker: picture.png is not here as the sweep has it; its runs are left to others\n' })
      expect(await worker(folder('versions'))).toMatchObject({ status: 1, err: 'worker: there is no picture.png here, which the sweep has; its runs are left to others\n' })
      const fit = start(['worker', '--queue', redis.url], { cwd: here })
      expect(await sweep.result).toMatchObject({ status: 0, err: '' })
      fit.child.kill('SIGTERM')
      expect((await fit.result).status).toBe(0)
    } finally {
      sweep.child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('ends a worker whose disk is full in a sentence, and another one does its run', async context => {
    const disk = smallDisk(40)
    if (disk === null) return context.skip()
    await writeConfig(folder('base.yaml'), 'iterations: 60\n')
    await writeFile(folder('one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('narrow'))
    const redis = await startRedis(folder('narrow'))
    const sweep = start(['sweep', folder('one.yaml'), '--out', folder('by-narrow'), '--queue', redis.url])
    const fit = (): ReturnType<typeof start> => start(['worker', '--queue', redis.url], { env: { TMPDIR: folder() } })
    let other: ReturnType<typeof start> | undefined
    try {
      const { status, err } = await run(['worker', '--queue', redis.url], { env: { TMPDIR: disk } })
      expect([status, err]).toEqual([unwritten, expect.stringMatching(/^\S+: cannot .*\(ENOSPC: no space left on device, .*\)\n$/)])
      expect(await readdir(disk)).toEqual([])
      other = fit()
      expect(await sweep.result).toMatchObject({ status: 0, err: '' })
      expect(await readFile(folder('by-narrow', 'report.md'), 'utf8')).toMatch(/^\| 2 \| 60 \| 0\.\d+ \|$/m)
    } finally {
      for (const running of [sweep, other]) running?.child.kill('SIGKILL')
      await redis.stop()
      removeDisk(disk)
    }
  }, 300_000)

  it.runIf(long)('ends a worker that has no GPU for runs on webgpu, and one that has trains them', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 2\nbackend: webgpu\n')
    await writeFile(folder('one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('gpu'))
    const redis = await startRedis(folder('gpu'))
    const sweep = start(['sweep', folder('one.yaml'), '--out', folder('by-gpu'), '--queue', redis.url])
    const worker = (options: RunOptions): Running => start(['worker', '--queue', redis.url, '--backend', 'webgpu'], { env: { TMPDIR: folder('gpu') }, ...options })
    let other: Running | undefined
    try {
      expect(await worker({ imports: [noPackage] }).result).toMatchObject({
        status: 1, err: 'worker: webgpu: there is no WebGPU here; in Node it comes with the optional package webgpu (npm install webgpu); its runs are left to others\n',
      })
      other = worker({ gpu: true })
      expect(await sweep.result).toMatchObject({ status: 0, err: '' })
      expect(await readFile(folder('by-gpu', 'report.md'), 'utf8')).toMatch(/^\| 2 \| 2 \| 0\.\d+ \|$/m)
    } finally {
      for (const running of [sweep, other]) running?.child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('may run twice at once with the same runs: both sweeps get all results', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 8\n')
    await writeFile(folder('pair.yaml'), 'base: base.yaml\nfields: { batch: [2, 3, 4] }\n')
    await mkdir(folder('shared'))
    const redis = await startRedis(folder('shared'))
    const workers = [1, 2].map(() => start(['worker', '--queue', redis.url], { env: { TMPDIR: folder() } }))
    try {
      const ended = await Promise.all(['first', 'second'].map(out => run(['sweep', folder('pair.yaml'), '--out', folder(out), '--queue', redis.url])))
      for (const each of ended) expect(each).toMatchObject({ status: 0, err: '' })
      const [first, second] = [await results('first'), await results('second')]
      expect(Object.keys(first)).toHaveLength(3)
      expect(second).toEqual(first)
    } finally {
      for (const { child } of workers) child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('gives up a run that kills its workers, after as many retries as the file says, and trains the others', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 2\n')
    await writeFile(folder('killed.yaml'), 'base: base.yaml\nfields: { batch: [3, 2] }\nretries: 1\n')
    await mkdir(folder('murder'))
    const redis = await startRedis(folder('murder'))
    const sweep = run(['sweep', folder('killed.yaml'), '--out', folder('killed'), '--queue', redis.url])
    let [isOver, workers] = [false, 0]
    void sweep.finally(() => { isOver = true })
    try {
      while (!isOver) {
        const worker = start(['worker', '--queue', redis.url], { env: { TMPDIR: folder('murder') }, imports: [killer(folder('kills'), 'ppid')] })
        workers++
        await Promise.race([sweep, worker.result])
        worker.child.kill('SIGKILL')
      }
      expect(await sweep).toMatchObject({ status: 0, err: '' })
      expect([await readFile(folder('kills'), 'utf8'), workers]).toEqual(['xx', 3])
      expect(await readFile(folder('killed', 'report.md'), 'utf8')).toMatch(/^- \w{16} failed: its worker was killed 2 times without a new checkpoint in between \(retries of the sweep\)$/m)
    } finally {
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('ends when it is told to, even while Redis is away, and so does its worker', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 100000\n')
    await writeFile(folder('one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('away'))
    const redis = await startRedis(folder('away'))
    const sweep = start(['sweep', folder('one.yaml'), '--out', folder('by-away'), '--queue', redis.url])
    const worker = start(['worker', '--queue', redis.url], { env: { TMPDIR: folder('away') } })
    try {
      await new Promise<void>(begun => { worker.child.stdout!.on('data', (data: Buffer) => { if (data.includes('up to')) begun() }) })
      await redis.stop()
      await sleep(1000)
      for (const { child } of [sweep, worker]) child.kill('SIGTERM')
      const lost = `queue: the connection to ${redis.url} is lost; trying again until it is there\n`
      expect(await sweep.result).toMatchObject({ status: 143, err: lost, out: expect.stringContaining('Stopped with 0 of 1 candidates trained. Go on with:\n') })
      expect(await worker.result).toMatchObject({ status: 1, err: `${lost}queue: ${redis.url} is away, so that runs under way could not be put back; others go on from what was stored last\n` })
      expect((await readdir(folder('away'))).filter(name => name.startsWith('cellgrad'))).toEqual([])
    } finally {
      for (const { child } of [sweep, worker]) child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('reports a run that fails, and tries it again when its folder is deleted', async () => {
    const cwd = folder('failing')
    await mkdir(cwd)
    await writeConfig(join(cwd, 'base.yaml'), 'iterations: 4\n')
    await writeFile(join(cwd, 'two.yaml'), 'base: base.yaml\nfields: { data.target: [missing.png, 🦎] }\n')
    const redis = await startRedis(cwd)
    const worker = start(['worker', '--queue', redis.url], { cwd, env: { TMPDIR: cwd } })
    try {
      const sweep = () => run(['sweep', 'two.yaml', '--queue', redis.url], { cwd })
      const report = async (): Promise<string> => {
        expect(await sweep()).toMatchObject({ status: 0, err: '' })
        return readFile(join(cwd, 'out/two/report.md'), 'utf8')
      }
      const failed = /^- (\w{16}) failed: .*missing\.png/m
      const [, id] = failed.exec(await report())!
      await copyFile('assets/emoji/lizard-1f98e.png', join(cwd, 'missing.png'))
      expect(await report()).toMatch(failed)
      await rm(join(cwd, 'out/two/runs', id), { recursive: true })
      expect(await report()).toMatch(/^\| missing\.png \| 4 \| 0\.\d+ \|$/m)
    } finally {
      worker.child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it.runIf(long)('has a worker that returns its run and says so, when its output can no longer be written', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 400\n')
    await writeFile(folder('one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('deaf'))
    const redis = await startRedis(folder('deaf'))
    const { child, result } = start(['worker', '--queue', redis.url], { env: { TMPDIR: folder('deaf') } })
    child.stdout!.once('data', () => child.stdout!.destroy())
    const sweep = start(['sweep', folder('one.yaml'), '--out', folder('by-deaf'), '--queue', redis.url])
    try {
      expect(await result).toMatchObject({ status: 141, err: 'Stopping, since nobody reads the output any more; runs that are under way are saved and put back\n' })
    } finally {
      sweep.child.kill('SIGKILL')
      await redis.stop()
    }
  }, 300_000)

  it('has workers that remove the folders of killed ones, and none of living ones', async () => {
    const [dead, living] = [nameOfProcess().replace(/-\d+@/, '-1@'), nameOfProcess()].map(name => `cellgrad-worker-${name}-a1B2c3`)
    for (const name of [dead, living]) await mkdir(folder('left', name, 'runs', 'x'), { recursive: true })
    await run(['worker', '--queue', 'redis://127.0.0.1:1'], { env: { TMPDIR: folder('left') } })
    expect(await readdir(folder('left'))).toEqual([living])
  })

  it('has only workers of the same version, with the same backend and the same data', () => {
    const sweep = { cellgrad: '1.2.3', backend: 'cpu', fma: false, data: { 'a.png': 'abc' } } as const
    expect(differenceOf({ ...sweep, data: { 'a.png': 'abc', 'b.png': 'x' } }, sweep)).toBeNull()
    expect(differenceOf({ ...sweep, cellgrad: '1.2.4' }, sweep)).toBe('worker: this is cellgrad 1.2.4, but the sweep is cellgrad 1.2.3')
    expect(differenceOf({ ...sweep, backend: 'webgpu' }, sweep)).toBe('worker: --backend is webgpu, but the runs of the sweep say backend: cpu, which rounds otherwise')
    expect(differenceOf({ ...sweep, fma: true }, sweep)).toMatch(/^worker: this Node \(v\S+\) fuses multiplications and additions, unlike that of the sweep/)
    expect(differenceOf({ ...sweep, data: { 'a.png': 'abd' } }, sweep)).toBe('worker: a.png is not here as the sweep has it')
  })

  it('is refused in one sentence if there is no Redis, or the password is wrong', async () => {
    await writeConfig(folder('base.yaml'), 'iterations: 4\n')
    await writeFile(folder('one.yaml'), 'base: base.yaml\nfields: { batch: [2] }\n')
    await mkdir(folder('other'))
    const redis = await startRedis(folder('other'), 'secret')
    try {
      const wrong = redis.url.replace('secret', 'wrong')
      const [none, sweep, worker, web] = await Promise.all([
        run(['worker', '--queue', 'redis://127.0.0.1:1']),
        run(['sweep', folder('one.yaml'), '--out', folder('one'), '--queue', wrong]),
        run(['worker', '--queue', wrong]), run(['worker', '--queue', 'http://localhost']),
      ])
      expect(none).toMatchObject({ status: 1, err: expect.stringMatching(/^queue: cannot use redis:\/\/127\.0\.0\.1:1 \(.*ECONNREFUSED.*\)\n$/) })
      for (const { status, err } of [sweep, worker]) {
        expect([status, err]).toEqual([1, expect.stringMatching(/^queue: cannot use redis:\/\/…@127\.0\.0\.1:\d+ \(WRONGPASS .*\)\n$/)])
      }
      expect(web.err).toBe('queue: http://localhost is not a Redis address, expected redis://host:port or rediss://…\n')
    } finally {
      await redis.stop()
    }
  })
})
