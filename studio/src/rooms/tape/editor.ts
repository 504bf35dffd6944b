/**
 * The editor: CodeMirror with TypeScript, which underlines mistakes, completes names and explains them. It is loaded
 * when the room is opened, not with the page.
 */
import {
  autocompletion, completionKeymap, type Completion, type CompletionContext, type CompletionResult,
} from '@codemirror/autocomplete'
import { defaultKeymap, history, historyKeymap } from '@codemirror/commands'
import { javascript } from '@codemirror/lang-javascript'
import { bracketMatching, HighlightStyle, indentOnInput, syntaxHighlighting } from '@codemirror/language'
import { linter, lintKeymap, type Diagnostic } from '@codemirror/lint'
import { Prec, StateEffect, StateField } from '@codemirror/state'
import { drawSelection, EditorView, highlightActiveLine, hoverTooltip, keymap, lineNumbers } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { ask } from './ask.ts'

const colours = HighlightStyle.define([
  { tag: [tags.keyword, tags.operatorKeyword, tags.modifier], color: 'var(--code-word)' },
  { tag: [tags.string, tags.special(tags.string)], color: 'var(--code-text)' },
  { tag: [tags.number, tags.bool, tags.null], color: 'var(--code-number)' },
  { tag: tags.comment, color: 'var(--faint)', fontStyle: 'italic' },
  { tag: [tags.typeName, tags.className], color: 'var(--code-type)' },
])

/** CodeMirror's icon for each of TypeScript's kinds of names. */
const kinds: Readonly<Record<string, string>> = {
  function: 'function', method: 'method', const: 'constant', let: 'variable', var: 'variable', parameter: 'variable',
  class: 'class', interface: 'interface', type: 'type', keyword: 'keyword', property: 'property', alias: 'function',
}

function explained(type: string, text: string): HTMLElement {
  const box = document.createElement('div')
  box.className = 'explained'
  const [code, words] = [document.createElement('code'), document.createElement('p')]
  code.textContent = type
  words.textContent = text
  box.append(code, ...(text ? [words] : []))
  return box
}

async function complete(context: CompletionContext): Promise<CompletionResult | null> {
  const word = context.matchBefore(/[\w$]*/)!
  const before = context.state.sliceDoc(word.from - 1, word.from)
  if (word.from === word.to && before !== '.' && !context.explicit) return null
  const [text, at] = [context.state.doc.toString(), context.pos]
  const found = await ask('completions', text, at)
  const options = found.map(({ name, kind, rank }): Completion => ({
    label: name,
    type: kinds[kind] ?? 'text',
    boost: 20 - Number.parseInt(rank, 10), // TypeScript ranks the nearest names '10', others higher
    info: async () => {
      const told = await ask('completion', text, at, name)
      return told && explained(told.type, told.text)
    },
  }))
  return { from: word.from, options, validFor: /^[\w$]*$/ }
}

/** The place where the last run failed; it is removed as soon as the script changes. */
const setFailure = StateEffect.define<Diagnostic | null>()
const failure = StateField.define<Diagnostic | null>({
  create: () => null,
  update: (now, { docChanged, effects }) => effects.reduce((all, effect) => (effect.is(setFailure) ? effect.value : all), docChanged ? null : now),
})

const mistakes = linter(async ({ state }) => {
  const found = (await ask('mistakes', state.doc.toString())).map(({ from, to, message }): Diagnostic => (
    { from, to: Math.max(to, from), message, severity: 'error' }
  ))
  const failed = state.field(failure)
  return failed ? [...found, failed] : found
}, { delay: 300, needsRefresh: ({ startState, state }) => startState.field(failure) !== state.field(failure) })

const meanings = hoverTooltip(async (view, at) => {
  const told = await ask('describe', view.state.doc.toString(), at)
  return told && { pos: told.from, end: told.to, create: () => ({ dom: explained(told.type, told.text) }) }
})

/**
 * Creates an editor in an element of the page.
 *
 * @param onRun called when Ctrl-Enter is pressed
 */
export function openEditor(parent: HTMLElement, text: string, { onChange, onRun }: { onChange: (text: string) => void; onRun: () => void }): EditorView {
  return new EditorView({
    parent,
    doc: text,
    extensions: [
      Prec.highest(keymap.of([{ key: 'Mod-Enter', run: () => { onRun(); return true } }])),
      lineNumbers(), history(), drawSelection(), highlightActiveLine(), indentOnInput(), bracketMatching(),
      EditorView.lineWrapping,
      javascript({ typescript: true }), syntaxHighlighting(colours),
      autocompletion({ override: [complete] }), failure, mistakes, meanings,
      keymap.of([...defaultKeymap, ...historyKeymap, ...completionKeymap, ...lintKeymap]),
      EditorView.contentAttributes.of({ 'aria-label': 'Script', tabindex: '0' }),
      EditorView.updateListener.of(update => { if (update.docChanged) onChange(update.state.doc.toString()) }),
    ],
  })
}

/** Underlines the line at which a run failed; null removes the underline. Lines are counted from 1. */
export function showFailure(view: EditorView, line: number | null, message: string = ''): void {
  const { doc } = view.state
  const place = line === null || line > doc.lines ? null : doc.line(line)
  const indent = place ? place.text.search(/\S|$/) : 0
  view.dispatch({ effects: setFailure.of(place && { from: place.from + indent, to: place.to, message, severity: 'error', source: 'run' }) })
}

/** Moves the cursor to the beginning of a line, and scrolls the line into view. */
export function goToLine(view: EditorView, line: number): void {
  view.dispatch({ selection: { anchor: view.state.doc.line(Math.min(line, view.state.doc.lines)).from }, scrollIntoView: true })
  view.focus()
}

/** Replaces the text of an editor, as one change that can be undone. */
export function replaceText(view: EditorView, text: string): void {
  view.dispatch({ changes: { from: 0, to: view.state.doc.length, insert: text } })
}
