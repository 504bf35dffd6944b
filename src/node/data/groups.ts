/**
 * The groups of examples, which folds keep together, such as the slices of a patient or the frames of a scene.
 */
import { readFileUpTo } from '../read-file.ts'

const mostBytes = 2 ** 24

/**
 * Reads a text file with a line for each example, in order, which is the name of its group.
 *
 * @throws if there is no such file, or a line is empty
 * @example const folds = kFold(key(0), images.n, 5, { groups: await readGroups('subjects.txt') })
 */
export async function readGroups(path: string): Promise<string[]> {
  const lines = new TextDecoder().decode(await readFileUpTo('groups', path, mostBytes)).split('\n').map(line => line.trim())
  if (lines.at(-1) === '') lines.pop()
  const empty = lines.indexOf('')
  if (empty >= 0) throw new Error(`groups: line ${empty + 1} of ${path} is empty, expected the name of a group.`)
  return lines
}
