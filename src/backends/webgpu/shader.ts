/**
 * Turns a kernel's `Shader` into the text that WebGPU compiles, and the bytes of its uniforms.
 *
 * A kernel only writes a function `main`; the declarations around it follow from the call. The uniforms are one struct of
 * 32-bit words, the first of which is the number of threads or groups. Nothing in the text depends on a size or a scalar, so
 * that it is compiled once, however often and on whatever grids its kernel runs.
 */
import type { Call, DType, Shader } from '../backend.ts'
import { withFunctions } from '../wgsl/functions.ts'
import { insideWgsl } from './faults.ts'

/** Invocations in a workgroup. Every adapter allows 256; 64 is a multiple of every subgroup size in use. */
export const lanes = 64

const types: Partial<Record<DType, string>> = { float32: 'f32', int32: 'i32', uint32: 'u32' }

const entries = {
  threads: `
fn invoke(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) size: vec3u) {
  let i = id.y * size.x * lanes + id.x;
  if (i < u.threads) { main(i); }
}`,
  groups: `
fn invoke(
  @builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) size: vec3u, @builtin(local_invocation_index) lane: u32,
) {
  let group = id.y * size.x + id.x;
  if (group < u.groups) { main(group, lane); }
}`,
}

/** The whole shader; its entry point is `invoke`. Group 0 holds the output and the inputs, group 1 the uniforms. */
export function assemble(shader: Shader, call: Call<unknown>): string {
  const count = 'threads' in shader ? 'threads' : 'groups'
  const arrays = call.inputs.map((spec, k) => (
    `@group(0) @binding(${k + 1}) var<storage, read> ${shader.inputs[k]}: array<${types[spec.dtype]}>;`))
  const fields = [
    `${count}: u32`,
    ...Object.keys(shader.u32 ?? {}).map(name => `${name}: u32`),
    ...Object.keys(shader.f32 ?? {}).map(name => `${name}: f32`),
    ...(shader.indices ? ['call: u32'] : []),
  ]
  return `alias T = ${types[call.out.dtype]};
const lanes = ${lanes}u;
struct Uniforms { ${fields.join(', ')} }
@group(0) @binding(0) var<storage, read_write> out: array<T>;
${arrays.join('\n')}
${shader.indices ? fault(arrays.length + 1) : ''}
@group(1) @binding(0) var<uniform> u: Uniforms;
${withFunctions(shader.source, call.inputs[0]?.dtype)}
@compute @workgroup_size(lanes)${entries[count]}
`
}

function fault(binding: number): string {
  return `@group(0) @binding(${binding}) var<storage, read_write> fault: array<atomic<u32>>;${insideWgsl}`
}

/** The words of the uniforms, in the order of the struct. */
export function uniformsOf(shader: Shader): Uint32Array {
  const whole = Object.values(shader.u32 ?? {})
  const fractions = Object.values(shader.f32 ?? {})
  const words = new Uint32Array(1 + whole.length + fractions.length)
  words[0] = 'threads' in shader ? shader.threads : shader.groups
  words.set(whole, 1)
  new Float32Array(words.buffer).set(fractions, 1 + whole.length)
  return words
}
