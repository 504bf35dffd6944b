/**
 * A configuration as a YAML file, for people to read and change.
 */
import { Document, isScalar, visit } from 'yaml'
import { inLine } from '../../backends/options.ts'
import { describe } from './describe.ts'
import type { Describing } from './values.ts'

/** A configuration as the text of a YAML file, with what each key means. */
export function configYaml(config: object, describing: Describing = describe): string {
  const document = new Document(config)
  visit(document, {
    Seq: (_, node) => { node.flow = true },
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && plain(node.value) !== node.value) node.type = 'QUOTE_DOUBLE'
    },
    Pair: (_, { key }, ancestors) => {
      const parents = ancestors.flatMap(node => ('key' in node && isScalar(node.key) ? [String(node.key.value)] : []))
      if (!isScalar(key)) return
      const { description } = describing([...parents, String(key.value)])
      if (description) key.commentBefore = ` ${description}`
    },
  })
  // What is shown in a terminal holds nothing that steers it: escapes exist in double quotes.
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  return text.split('\n').map(plain).join('\n')
}

/** A text in which nothing steers a terminal. */
function plain(text: string): string {
  return inLine(text, Infinity)
}
