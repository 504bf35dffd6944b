/**
 * The page of an exported model: one file of HTML with its style, the model as JSON, and two scripts, the automaton and the
 * viewer. It loads nothing from elsewhere, as its own Content-Security-Policy ensures.
 */
import { viewerSource } from './viewer.ts'

const style = `
  :root { color-scheme: light dark; --ink: light-dark(#1b1f24, #e8eaed); --paper: light-dark(#fafaf8, #16181b);
    --line: light-dark(#d5d7d9, #3a3f45); --soft: light-dark(#5b6470, #a0a8b2); --mark: light-dark(#0b6e4f, #5fd3a8) }
  * { box-sizing: border-box }
  html, body { height: 100% }
  body { margin: 0; display: grid; grid-template: auto 1fr auto / minmax(0, 1fr); gap: 8px; padding: 12px; background: var(--paper);
    color: var(--ink); font: 15px/1.4 system-ui, sans-serif }
  header { display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 16px; align-items: baseline }
  h1 { font-size: 18px; font-weight: 600; margin: 0 }
  output { color: var(--soft); font-variant-numeric: tabular-nums }
  main { min-height: 0; display: grid; place-items: center; container-type: size }
  canvas { width: min(100cqw, 100cqh); max-height: 100%; image-rendering: pixelated; touch-action: none; cursor: crosshair;
    border-radius: 6px; outline: 1px solid var(--line) }
  #controls { display: grid; grid-template-columns: repeat(auto-fit, minmax(84px, 1fr)); gap: 8px 12px; align-items: end;
    width: 100%; max-width: 900px; margin: 0 auto }
  #controls > div { display: flex; gap: 8px; grid-column: span 3; justify-content: center }
  label { display: grid; grid-template-columns: auto auto; font-size: 13px; color: var(--soft) }
  label > span { text-align: right; font-variant-numeric: tabular-nums }
  label > input, label > select { grid-column: 1 / -1; width: 100%; margin: 0; height: 32px }
  p { grid-column: 1 / -1; margin: 0; text-align: center; font-size: 13px; color: var(--soft) }
  @media (max-width: 300px) { #controls > div { grid-column: 1 / -1 } #controls { grid-template-columns: 1fr 1fr } }
  @media (max-height: 400px) { p { display: none } }
  @media (max-height: 320px) { #controls label { display: none } } /* in a small frame the cells are what matters */
  button, select { font: inherit; color: var(--ink); background: transparent; border: 1px solid var(--line); border-radius: 6px;
    padding: 0 8px; height: 32px; cursor: pointer }
  #controls button { flex: 1 }
  button:hover, select:hover { border-color: var(--mark) }
  input { accent-color: var(--mark) }
  :focus-visible { outline: 2px solid var(--mark); outline-offset: 2px }
  option { color: #1b1f24; background: #fff }
`

/**
 * The text of the page.
 *
 * @param title shown in the page, and as the name of the tab
 * @param automaton the script of the automaton
 * @param model what `viewer.ts` reads, JSON
 */
export function pageOf(title: string, automaton: string, model: unknown): string {
  // Nothing inside a script may look like its end, so < is escaped in JSON.
  const json = JSON.stringify(model).replaceAll('<', String.raw`\u003c`)
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<meta name="generator" content="cellgrad">
<title>${escaped(title)}</title>
<style>${style}</style>

<header>
  <h1>${escaped(title)}</h1>
  <output id="status" role="status"></output>
</header>
<main>
  <canvas id="world" tabindex="0" role="img" aria-label="The cells. The pointer uses the tool on them; arrow keys and Enter do too."></canvas>
</main>
<div id="controls">
  <div>
    <button id="run" title="Space">Pause</button>
    <button id="step" title="S">Step</button>
    <button id="reset" title="R">Reset</button>
  </div>
  <label>Tool <select id="tool"></select></label>
  <label>Brush <span id="brush-is"></span><input id="brush" type="range" min="1" max="20" value="6"></label>
  <label>Speed <span id="speed-is"></span><input id="speed" type="range" min="0" max="8" value="6"></label>
  <label>Rotate <span id="angle-is"></span><input id="angle" type="range" min="-180" max="180" step="5" value="0"></label>
  <label>Show <select id="view"></select></label>
  <p>Drag across the cells: the tool is used on them. Space pauses, S steps, R resets.</p>
</div>

<script type="application/json" id="model">
${json}
</script>
<script>
${automaton}
</script>
<script>
${viewerSource}
</script>
</html>
`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
