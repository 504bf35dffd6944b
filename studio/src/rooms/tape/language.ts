/**
 * TypeScript for the editor, in a worker of its own: mistakes, completions, explanations of names, and the script as
 * JavaScript. It is the compiler's language service on three kinds of files: the script, the declarations of the
 * library and those of the language. It is large, and is not loaded before the room is opened.
 */
import ts from 'typescript'
import { files } from 'virtual:declarations'

const script = '/script.ts'

/** The declarations of globals that a script has besides those of JavaScript. */
const around = 'declare const console: Record<"log" | "info" | "debug" | "warn" | "error", (...values: readonly unknown[]) => void>\n'

const options: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, moduleDetection: ts.ModuleDetectionKind.Force,
  strict: true, noEmit: true, allowImportingTsExtensions: true, skipLibCheck: true, types: [],
}

const texts = new Map([...Object.entries(files), ['/around.d.ts', around]])
let version = 0

const host: ts.LanguageServiceHost = {
  getCompilationSettings: () => options,
  getScriptFileNames: () => [script, '/around.d.ts'],
  getScriptVersion: path => (path === script ? String(version) : '0'),
  getScriptSnapshot: path => (texts.has(path) ? ts.ScriptSnapshot.fromString(texts.get(path)!) : undefined),
  getCurrentDirectory: () => '/',
  getDefaultLibFileName: () => '/lib.es2023.d.ts',
  fileExists: path => texts.has(path),
  readFile: path => texts.get(path),
  resolveModuleNameLiterals: (names, from) => names.map(({ text }) => {
    const path = text === 'cellgrad' ? '/cellgrad/index.ts' : text.startsWith('.') ? new URL(text, `file://${from}`).pathname : ''
    return { resolvedModule: texts.has(path) ? { resolvedFileName: path, extension: ts.Extension.Ts } : undefined }
  }),
}

const service = ts.createLanguageService(host)

const textOf = (parts: readonly ts.SymbolDisplayPart[] | undefined): string => ts.displayPartsToString(parts as ts.SymbolDisplayPart[])

/** A mistake in the script, from one character to another. */
export type Mistake = { readonly from: number; readonly to: number; readonly message: string }

/** A name that may be inserted at a place. */
export type Completion = { readonly name: string; readonly kind: string; readonly rank: string }

/** The explanation of a name: its type and its documentation. */
export type Described = { readonly from: number; readonly to: number; readonly type: string; readonly text: string }

/** A script as JavaScript, with the mappings of a source map, which lead back to the script. */
export type JavaScript = {
  readonly code: string
  readonly mappings: string
  /** The syntax error, if there is one, and its line, counted from 1. */
  readonly mistake: { readonly message: string; readonly line: number } | null
}

const answers = {
  mistakes(): Mistake[] {
    return [...service.getSyntacticDiagnostics(script), ...service.getSemanticDiagnostics(script)].map(({ start = 0, length = 0, messageText }) => (
      { from: start, to: start + length, message: ts.flattenDiagnosticMessageText(messageText, ' ') }
    ))
  },
  completions(_: string, at: number): Completion[] {
    const found = service.getCompletionsAtPosition(script, at, { includeCompletionsWithInsertText: false })
    return (found?.entries ?? []).map(({ name, kind, sortText }) => ({ name, kind, rank: sortText }))
  },
  completion(_: string, at: number, name: string): Omit<Described, 'from' | 'to'> | null {
    const found = service.getCompletionEntryDetails(script, at, name, {}, undefined, {}, undefined)
    return found ? { type: textOf(found.displayParts), text: textOf(found.documentation) } : null
  },
  describe(_: string, at: number): Described | null {
    const found = service.getQuickInfoAtPosition(script, at)
    if (!found) return null
    const { textSpan: { start, length }, displayParts, documentation } = found
    return { from: start, to: start + length, type: textOf(displayParts), text: textOf(documentation) }
  },
  javascript(text: string): JavaScript {
    const compilerOptions = { target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.CommonJS, sourceMap: true }
    const { outputText, sourceMapText, diagnostics } = ts.transpileModule(text, { compilerOptions, reportDiagnostics: true })
    const [first] = diagnostics ?? []
    return {
      code: outputText.replace(/\n\/\/# sourceMappingURL.*$/, '\n'),
      mappings: (JSON.parse(sourceMapText!) as JavaScript).mappings,
      mistake: first ? { message: ts.flattenDiagnosticMessageText(first.messageText, ' '), line: text.slice(0, first.start ?? 0).split('\n').length } : null,
    }
  },
} satisfies Record<string, (text: string, ...more: never[]) => unknown>

export type Answers = typeof answers

/** A question: its name, the present script, and further arguments. */
export type Question = { readonly id: number; readonly name: keyof Answers; readonly args: readonly [text: string, ...more: unknown[]] }

addEventListener('message', ({ data: { id, name, args } }: MessageEvent<Question>) => {
  const [text] = args
  if (texts.get(script) !== text) {
    texts.set(script, text)
    version++
  }
  postMessage({ id, result: (answers[name] as (...all: readonly unknown[]) => unknown)(...args) })
})
