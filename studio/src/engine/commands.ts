/**
 * The rooms as the worker knows them: by name, the commands of each. The page knows only their types.
 */
import { play } from '../rooms/play/commands.ts'

export const commands = { play }

export type Commands = typeof commands
