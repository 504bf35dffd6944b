/**
 * A configuration as a YAML file, for people to read and change.
 */
import { Document, isScalar, visit } from 'yaml'
import { inLine } from '../../backends/options.ts'
import { describe } from './describe.ts'
import type { Describing } from './values.ts'

/** A configuration as the text of a YAML file, with the meaning of each key as a comment. */
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
  // The text may be shown in a terminal, so control characters are escaped in double quotes.
  const text = document.toString({ lineWidth: 0, flowCollectionPadding: false })
  return text.split('\n').map(plain).join('\n')
}

/** A text without characters that control a terminal. */
function plain(text: string): string {
  return inLine(text, Infinity)
}
