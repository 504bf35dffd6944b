/**
 * The rooms as the worker knows them: by name, the commands of each. The page knows only their types.
 */
import { inside } from '../rooms/inside/commands.ts'
import { play } from '../rooms/play/commands.ts'
import { send } from '../rooms/send/commands.ts'
import { train } from '../rooms/train/commands.ts'

export const commands = { play, train, inside, send }

export type Commands = typeof commands
