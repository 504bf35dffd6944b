/**
 * The address of the page says what it shows: the room, then its settings, as in `#play?model=lizard&size=96`.
 *
 * Settings with their default value are left out, so that the plainest address is `#play`. The address is replaced, not
 * pushed: going back leaves the room, it does not undo a slider. If an address has settings that cannot be used, one sentence
 * lists them, each with the value that is used instead.
 */
import { bundledModels, modelNames } from './rooms/models.ts'
import { speeds } from './rooms/play/tools.ts'
import { sizes } from './rooms/sizes.ts'
import { examples } from './rooms/tape/examples.ts'

export type Settings = Readonly<Record<string, string>>

const borders = ['zero', 'circular', 'reflect', 'replicate'] as const
const starts = ['seed', 'pool', 'play'] as const
const quantities = ['channels', 'perception', 'hidden', 'change', 'masks', 'gradient'] as const
const scales = ['shared', 'own'] as const

/** The settings of each room. */
type RoomSettings = {
  readonly play: {
    readonly model: string
    /** Models that the address itself contains: the one that is played, and the other half of a graft. */
    readonly shared: string
    readonly graft: string
    readonly half: string
    readonly size: number
    readonly angle: number
    readonly condition: number
    readonly border: (typeof borders)[number]
    /** An index into `speeds`. */
    readonly speed: number
  }
  readonly train: { readonly run: string }
  readonly inside: {
    readonly model: string
    readonly steps: number
    readonly size: number
    readonly start: (typeof starts)[number]
    readonly t: number
    readonly show: (typeof quantities)[number]
    readonly scale: (typeof scales)[number]
    readonly x: number
    readonly y: number
  }
  readonly tape: { readonly example: string }
  readonly runs: { readonly show: string; readonly fields: 'differ' | 'all' }
}

export type RoomName = keyof RoomSettings

/** The settings of a room that an address gives; undefined where one is missing or cannot be used. */
export type SaidIn<R extends RoomName> = Partial<RoomSettings[R]>

/** How a setting is read. Which values it may have can depend on the other settings of the address. */
type Setting<T> = {
  /** The values that it may have, in words. */
  expected(all: Settings): string
  /** The value used in place of a wrong one, in words. */
  instead(all: Settings): string
  /** The value that the text stands for; undefined where it is a wrong one. */
  read(text: string, all: Settings): T | undefined
}

const text: Setting<string> = { expected: () => 'a text', instead: () => 'none', read: given => given }

function whole(least: number, most: number | ((all: Settings) => number), instead: string): Setting<number> {
  const end = (all: Settings): number => (typeof most === 'number' ? most : most(all))
  return {
    expected: all => `a whole number from ${least} to ${end(all)}`, instead: () => instead,
    read(given, all) {
      const n = Number(given)
      return given.trim() !== '' && Number.isInteger(n) && n >= least && n <= end(all) ? n : undefined
    },
  }
}

function oneOf<T extends string>(words: () => readonly T[], instead: string): Setting<T> {
  return {
    expected: () => `${words().slice(0, -1).join(', ')} or ${words().at(-1)}`.replace(/^ or /, ''), instead: () => instead,
    read: given => words().find(word => word === given),
  }
}

/** A setting that is ignored if the address has another one. */
function unless<T>(other: string, setting: Setting<T>): Setting<T> {
  return {
    ...setting,
    expected: all => (Object.hasOwn(all, other) ? `none beside ${other}` : setting.expected(all)),
    instead: all => (Object.hasOwn(all, other) ? `that of ${other}` : setting.instead(all)),
    read: (given, all) => (Object.hasOwn(all, other) ? undefined : setting.read(given, all)),
  }
}

const [first] = bundledModels.map(({ name }) => name)
const model = oneOf(modelNames, first)

const steps = whole(16, 256, '96'), size = whole(sizes.inside.min, sizes.inside.max, 'that of its training')
const cell = whole(0, all => (size.read(all.size ?? '', all) ?? sizes.inside.max) - 1, 'the middle')

const known: { readonly [R in RoomName]: { readonly [K in keyof RoomSettings[R]]: Setting<RoomSettings[R][K]> } } = {
  play: {
    model: unless('shared', model),
    shared: text,
    graft: unless('half', oneOf(modelNames, 'none')),
    half: text,
    size: whole(sizes.play.min, sizes.play.max, 'that of its training'),
    angle: whole(-180, 180, '0'),
    condition: whole(0, 255, '0'),
    border: oneOf(() => borders, 'that of its rule'),
    speed: whole(0, speeds.length - 1, `${speeds.indexOf(60)}, 60 steps a second,`),
  },
  train: { run: text },
  inside: {
    model, steps, size,
    start: oneOf(() => starts, 'seed'),
    t: whole(0, all => steps.read(all.steps ?? '', all) ?? 96, '48, or the last step,'),
    show: oneOf(() => quantities, 'channels'),
    scale: oneOf(() => scales, 'shared'),
    x: cell,
    y: cell,
  },
  tape: { example: oneOf(() => examples.map(({ name }) => name), examples[0].name) },
  runs: { show: text, fields: oneOf(() => ['differ', 'all'] as const, 'differ') },
}

/** The settings of a room, read from the texts of an address. */
export function settingsIn<R extends RoomName>(room: R, settings: Settings): SaidIn<R> {
  const all: Readonly<Record<string, Setting<unknown>>> = known[room]
  return Object.fromEntries(Object.entries(all).flatMap(([name, setting]) => (
    Object.hasOwn(settings, name) ? [[name, setting.read(settings[name], settings)]] : []))) as SaidIn<R>
}

/** The part of a sentence about a setting that cannot be used. */
export function unusable(name: string, given: string, expected: string, instead: string): string {
  const shown = given.length > 40 ? `${given.slice(0, 40)}…` : given
  return `${name}=${shown} (expected ${expected}; ${instead} is used)`
}

/** Everything in an address that cannot be used, with a part of a sentence for each. */
export function mistakesIn({ room, settings }: Address): string[] {
  if (!Object.hasOwn(known, room)) return room === '' ? [] : [`${room} (expected ${Object.keys(known).join(', ')}; play is used)`]
  const all: Readonly<Record<string, Setting<unknown>>> = known[room as RoomName]
  return Object.entries(settings).flatMap(([name, given]) => {
    if (!Object.hasOwn(all, name)) return [`${name} (${room} has no such setting; there are ${Object.keys(all).join(', ')})`]
    const setting = all[name]
    return setting.read(given, settings) === undefined ? [unusable(name, given, setting.expected(settings), setting.instead(settings))] : []
  })
}

/** A room and its settings. */
export type Address = { readonly room: string; readonly settings: Settings }

/** Room and settings of an address; '' where it names no room. */
export function readAddress(hash: string): Address {
  const [room, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  return { room, settings: Object.fromEntries(new URLSearchParams(query)) }
}

/** The address of a room with settings; what is undefined is left out. */
export function addressOf(room: string, settings: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const query = new URLSearchParams(given).toString()
  return `#${room}${query && `?${query}`}`
}

/** Shows settings in the address, without a step in the history. */
export function showAddress(room: string, settings: Readonly<Record<string, string | undefined>>): void {
  const address = addressOf(room, settings)
  if (location.hash !== address) history.replaceState(null, '', address)
}
