/**
 * The backends that a run can use, by their names in a configuration.
 */
export const backendNames = ['cpu', 'webgpu', 'auto'] as const
export type BackendName = (typeof backendNames)[number]

/** For help texts. */
export const backendMeanings = 'cpu; webgpu, any GPU; auto, a hardware GPU, else the CPU'

/** Whether the CPU fuses multiplications and additions: if this engine can, always, or never. */
export const fmaChoices = ['auto', 'on', 'off'] as const
export type FmaChoice = (typeof fmaChoices)[number]
