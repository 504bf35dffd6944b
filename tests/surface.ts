// The public API as the TypeScript compiler sees it: every exported function, and its parameter that is an
// object of options. Tests go through this list, so that a function that is added tomorrow is tested too.

import { fileURLToPath } from 'node:url'
import ts from 'typescript'

/** An option: its name, the kind of its values, whether it is required, and its documentation. */
export type Option = {
  readonly name: string
  readonly optional: boolean
  readonly isNumber: boolean
  readonly text: string
}

/** A function with options, the names of its parameters, and the index of the one with options. */
export type OptionsParameter = {
  readonly name: string
  readonly at: number
  readonly parameters: readonly string[]
  readonly options: readonly Option[]
}

const root = fileURLToPath(new URL('..', import.meta.url))

/** Objects that are not options although some of their properties may be left out. */
const dataTypes = ['Backend', 'Op', 'DataParams', 'AutoencoderParams', 'Model', 'Task', 'Trainer', 'TrainerState']
const data = ['seed rule', 'colourDepth stream', 'encodeLink model', 'firstState model']

/** The functions with options in some entry files. */
export function functionsWithOptions(entries: readonly string[], settings: ts.CompilerOptions = {}): OptionsParameter[] {
  const config = ts.readConfigFile(`${root}/tsconfig.json`, ts.sys.readFile).config as object
  const { options } = ts.parseJsonConfigFileContent(config, ts.sys, root)
  const program = ts.createProgram(entries, { ...options, ...settings })
  const checker = program.getTypeChecker()
  return entries.flatMap(entry => {
    const module = checker.getSymbolAtLocation(program.getSourceFile(entry)!)!
    return checker.getExportsOfModule(module).flatMap(symbol => (
      checker.getTypeOfSymbol(symbol).getCallSignatures().flatMap(signature => {
        const parameters = signature.parameters.map(parameter => parameter.name)
        return signature.parameters.flatMap((parameter, at) => {
          const type = checker.getNonNullableType(checker.getTypeOfSymbol(parameter))
          if (data.includes(`${symbol.name} ${parameter.name}`) || !isOptions(checker, type, parameter.name)) return []
          return [{ name: symbol.name, at, parameters, options: optionsOf(checker, type) }]
        })
      })
    ))
  })
}

/** Whether a parameter is an object with an optional property, or is called options; tensors and lists are not. */
function isOptions(checker: ts.TypeChecker, type: ts.Type, name: string): boolean {
  if (!(type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection))) return false
  if (type.getCallSignatures().length > 0 || checker.isArrayLikeType(type) || type.isClass()) return false
  if (dataTypes.includes(type.aliasSymbol?.name ?? type.symbol?.name ?? '')) return false
  return name === 'options' || type.getProperties().some(property => property.flags & ts.SymbolFlags.Optional)
}

function optionsOf(checker: ts.TypeChecker, type: ts.Type): Option[] {
  return type.getProperties().map(property => {
    const value = checker.getNonNullableType(checker.getTypeOfSymbol(property))
    const parts = value.isUnion() ? value.types : [value]
    return {
      name: property.name,
      optional: (property.flags & ts.SymbolFlags.Optional) !== 0,
      isNumber: parts.some(part => part.flags & ts.TypeFlags.NumberLike),
      text: ts.displayPartsToString(property.getDocumentationComment(checker)),
    }
  })
}
