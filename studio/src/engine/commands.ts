/**
 * The rooms as the worker knows them: by name, the commands of each. The page knows only their types.
 */
import { inside } from '../rooms/inside/commands.ts'
import { play } from '../rooms/play/commands.ts'
import { runs } from '../rooms/runs/commands.ts'
import { send } from '../rooms/send/commands.ts'
import { train } from '../rooms/train/commands.ts'

export const commands = { play, train, inside, runs, send }

export type Commands = typeof commands
