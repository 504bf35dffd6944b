// The bundled models of the claims: each opens, is played, runs fused, and stands in the list of them.

import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { cascade, explain, firstState, key, rollout } from '../src/index.ts'
import { bundledModels, findAsset } from '../src/node/assets.ts'
import { readModel } from '../src/node/model.ts'
import { runHere } from './cli/here.ts'

const folder = new URL('../assets/claims/', import.meta.url)
const list = readFileSync(new URL('README.md', folder), 'utf8')
const files = readdirSync(folder).filter(file => file.endsWith('.safetensors'))

it('the list has a row for each model, and no other rows', () => {
  const rows = [...list.matchAll(/^\| `([^`]+\.safetensors)` \| \[.*\]\(\.\.\/\.\.\/(docs\/results\/\S+\.md)\) \| .*\d.* \|$/gm)]
  expect(rows.map(([, file]) => file).sort()).toEqual([...files].sort())
  for (const [, , page] of rows) expect(existsSync(new URL(`../${page}`, import.meta.url)), page).toBe(true)
})

describe.each(files)('%s', file => {
  it('is found by its name, and is played', async () => {
    const name = basename(file, '.safetensors')
    const found = findAsset(await bundledModels(), name)!
    const { rule, params, starts, provenance, cascade: stages } = await readModel(found.path)
    expect(provenance.claim).toBe(name)
    const x = firstState({ rule, params, starts }, 0, new Array<number>(rule.grid).fill(Number(provenance.grid)))
    if (!stages) expect(explain(rule)).toMatch(/^fused/)
    const grown = await rollout(stages ? cascade(rule, stages) : rule, params, x, key(0), { steps: 8 }).data()
    expect(grown.every(Number.isFinite)).toBe(true)
    const { status, out, err } = await runHere(['grow', name, '--steps', '2'])
    expect([status, err]).toEqual([0, ''])
    expect(out).toContain('step 2/2')
  })
})
