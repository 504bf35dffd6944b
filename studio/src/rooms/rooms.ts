/**
 * The rooms of Studio, in the order of their tabs. Their commands are listed in `engine/commands.ts`.
 */
import type { ComponentType } from 'preact'
import type { Settings } from '../address.ts'
import { Inside } from './inside/inside.tsx'
import { Play } from './play/play.tsx'
import { Runs } from './runs/runs.tsx'
import { Tape } from './tape/tape.tsx'
import { Train } from './train/train.tsx'

export type Room = {
  /** Its name in the address. */
  readonly name: string
  readonly title: string
  /** The content of the room; it begins with the settings in the address. */
  readonly component: ComponentType<{ settings: Settings }>
}

export const rooms: readonly Room[] = [
  { name: 'play', title: 'Play', component: Play },
  { name: 'train', title: 'Train', component: Train },
  { name: 'inside', title: 'Look inside', component: Inside },
  { name: 'tape', title: 'Tape', component: Tape },
  { name: 'runs', title: 'Runs', component: Runs },
]
