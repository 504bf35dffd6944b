/**
 * The fields of a rule, with their checks and defaults.
 */
import { choice, either, judged, list, named, orNull, record, type Field } from '../../backends/fields.ts'
import { didYouMean, isObject, numberAbove, numberFrom, oneOf, text, wholeFrom } from '../../backends/options.ts'
import { paddings } from '../../backends/window.ts'
import { filterNamesOn, type FilterName } from '../../tensor/filters.ts'
import { sizeOf } from '../../tensor/shape.ts'
import { expectGroups, mlpTable } from '../mlp.ts'
import { isLearned, kindOf, kinds } from '../perceptions/kinds.ts'
import { channelCount, updatedChannels } from './channels.ts'
import { most, units } from './limits.ts'
import { paramShapes, perceptionSize } from './parameters.ts'
import type { Bound, Channels, DataRule, Head, Living, Noise, Perception } from './types.ts'

const channel: Field<number> = { ...wholeFrom(0), about: 'Its number, from 0' }
const above: Field<number> = { ...numberFrom(), about: 'The number that it must exceed' }

/** Channels by role. */
export const channelsField: Field<Channels> = {
  ...judged<Channels>(named(wholeFrom(0, most.channels), 'numbers of channels by role, like { rgba: 4, hidden: 12 }'),
    (channels, expect) => {
      const total = channelCount(channels)
      expect(Object.keys(channels).length <= most.channels, [], channels, `at most ${most.channels} roles`)
      expect(total > 0, [], channels, 'at least one channel')
      expect(total <= most.channels, [], total, `at most ${most.channels}`, 'the number of channels')
    }),
  about: 'Channels of a cell by role, in order',
}

/** Dimensions of the grid. */
export const gridField: Field<1 | 2 | 3> = {
  ...oneOf([1, 2, 3]), expected: '1, 2 or 3 dimensions', default: 2, about: 'Dimensions of the grid: 1, 2 or 3',
}

const filterName: Field<FilterName> = oneOf(filterNamesOn[3])
const parts = either<Perception>(
  filterName,
  {
    ...record<{ name: FilterName; factor: number }>({
      fields: { name: { ...filterName, about: 'A fixed filter' }, factor: { ...numberFrom(), about: 'Its factor' } },
    }),
    fits: x => isObject(x) && 'name' in x,
  },
  choice(kinds),
)

/** A rule that is data. */
export const ruleField: Field<DataRule> = record<DataRule>({
  type: 'data',
  fields: {
    channels: channelsField,
    perceive: {
      ...list<Perception>(parts, "parts, filters like 'sobelX' or learned ones like conv(80)", 1, most.parts),
      about: 'What a cell perceives: fixed filters, and parts that learn',
    },
    update: {
      ...record(mlpTable), expected: 'a network, like mlp(128)', about: 'The network that computes the change of a cell from its perception',
    },
    grid: gridField,
    stepSize: { ...numberFrom(), default: 1, about: 'The factor of each change' },
    fireRate: { ...numberAbove(0, 1), default: 1, about: 'Probability that a cell updates in a step' },
    living: {
      ...orNull(record<Living>({
        fields: {
          channel, above,
          when: { ...oneOf(['both', 'after']), default: 'both', about: 'Before and after an update, or only after it' },
        },
      })),
      default: null,
      about: 'A cell is alive if it or a neighbour has this channel above a number; null: all cells are',
    },
    inputMask: {
      ...orNull(record<NonNullable<DataRule['inputMask']>>({ fields: { channel, above } })),
      default: null,
      about: 'Only cells with this channel above a number update; null: all do',
    },
    noise: {
      ...orNull(record<Noise>({
        fields: {
          on: { ...oneOf(['state', 'change']), about: 'Where it is added: to the state that is perceived, or to the change' },
          std: { ...numberFrom(0), about: 'Its standard deviation' },
        },
      })),
      default: null,
      about: 'Normal noise; null: none',
    },
    bound: {
      ...orNull(choice<Bound>([
        {
          type: 'clamp',
          fields: { low: { ...numberFrom(), about: 'The least' }, high: { ...numberFrom(), about: 'The most' } },
          together: ({ low, high }: Bound & { type: 'clamp' }, expect) =>
            expect(high >= low, ['high'], high, `a number ≥ low, ${low}`),
        },
        { type: 'tanh', fields: {} },
      ])),
      default: null,
      about: 'Bounds of the channels after every step; null: none',
    },
    padding: { ...oneOf(paddings), default: 'zero', about: 'What cells perceive beyond the border' },
    frozen: { ...list<string>(text, 'roles'), default: [], about: 'Roles whose channels never change' },
    head: {
      ...orNull(record<Head>({
        fields: {
          outputs: { ...units, about: 'Number of its outputs, for example the classes of an image' },
          network: { ...record(mlpTable), expected: 'a network, like mlp(64)', about: 'The network, which is applied to the mean of the cells' },
        },
      })),
      default: null,
      about: 'A network with outputs for the whole state; null: none',
    },
  },
  together(rule, expect) {
    const { channels, grid, perceive, living, inputMask, frozen, head } = rule
    const roles = Object.keys(channels), total = channelCount(channels), updated = updatedChannels(rule)
    frozen.forEach((role, i) =>
      expect(roles.includes(role), ['frozen', i], role, `a role of channels: ${roles.join(', ')}${didYouMean(role, roles)}`))
    expect(updated.length > 0, ['frozen'], frozen, 'roles that leave a channel to change')
    for (const [name, mask] of Object.entries({ living, inputMask })) {
      expect(!mask || mask.channel < total, [name, 'channel'], mask?.channel, `a channel from 0 to ${total - 1}`)
    }
    const frozenLiving = living && living.channel < total && !updated.includes(living.channel)
    expect(!frozenLiving || updated.length === 0, ['frozen'], frozen, `roles without the living channel, ${living?.channel}`)
    perceive.forEach((part, i) => {
      if (isLearned(part)) {
        const others = kinds.filter(kind => !kind.planar).map(kind => kind.type).join(', ')
        expect(
          grid === 2 || !kindOf(part).planar, ['perceive', i], part,
          `filters, ${others}: ${part.type} is for grids of two dimensions`,
        )
        const size = 'size' in part ? part.size : 1
        expect(
          typeof size === 'number' || size.length === grid, ['perceive', i, 'size'], size,
          `a number, or a list of as many as the grid has dimensions, ${grid}`,
        )
      } else {
        const name = typeof part === 'string' ? part : part.name
        const names = filterNamesOn[grid]
        expect(names.includes(name), ['perceive', i], name, `a filter of ${grid} dimensions: ${names.join(', ')}`)
      }
    })
    expectGroups(rule.update, perceptionSize(rule), ['update'], 'how many numbers a cell perceives', expect)
    if (head) expectGroups(head.network, updated.length, ['head', 'network'], 'how many channels change', expect)
    const numbers = Object.values(paramShapes(rule)).reduce((sum, shape) => sum + sizeOf(shape), 0)
    expect(numbers <= most.parameters, [], numbers, `at most ${most.parameters}`, 'the number of its parameters')
  },
})
