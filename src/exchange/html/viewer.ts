/**
 * The viewer of an exported page: it shows the world, runs it, and lets the pointer damage it. This is the text of a script,
 * which follows that of the automaton in the page.
 */
export const viewerSource: string = String.raw`
// THE PAGE

const model = JSON.parse(document.getElementById('model').textContent)
const { rule, filters, channelNames, start } = model

/** Numbers that were stored as the bytes of float32, in base64. */
function numbers(text) {
  const bytes = Uint8Array.from(atob(text), character => character.charCodeAt(0))
  return new Float32Array(bytes.buffer)
}

const weights = Object.fromEntries(Object.entries(model.weights).map(([path, text]) => [path, numbers(text)]))
const { channels, changing, isFrozen, step } = makeAutomaton(rule, weights, filters, model.sums)
const { height, width } = start

const find = id => document.getElementById(id)
const canvas = find('world')
canvas.width = width
canvas.height = height
canvas.style.aspectRatio = width + ' / ' + height

/** The first channel of a role, and the number of its channels. */
function roleOf(name) {
  const roles = Object.entries(rule.channels)
  const at = roles.findIndex(([role]) => role === name)
  return { from: roles.slice(0, at).reduce((sum, [, n]) => sum + n, 0), n: roles[at][1] }
}
const conditions = rule.frozen.filter(role => roleOf(role).n > 1)
const drawings = rule.frozen.filter(role => roleOf(role).n === 1)
const answers = Object.keys(rule.channels).filter(role => (
  roleOf(role).n > 1 && !['rgba', 'rgb', 'hidden', ...rule.frozen].includes(role)
))

// THE WORLD

let world, t, running = true, angle = 0
let key = [0, model.seed]

/** The first world: the cells that are not empty, and the chosen condition. */
function reset() {
  world = { height, width, cells: new Float32Array(height * width * channels) }
  const values = numbers(start.values)
  start.at.forEach((cell, i) => world.cells.set(values.subarray(i * channels, (i + 1) * channels), cell * channels))
  if (!model.started) conditions.forEach(setCondition)
  t = 0
  draw()
}

/** Writes the chosen condition into every cell. */
function setCondition(role) {
  const { from, n } = roleOf(role), chosen = Number(find('role-' + role).value)
  for (let i = 0; i < height * width; i++) {
    for (let k = 0; k < n; k++) world.cells[i * channels + from + k] = +(k === chosen)
  }
}

function advance() {
  world.cells = step(world, foldIn(key, t), angle).cells
  t++
}

// WHAT IS SEEN

const white = [255, 255, 255]
/** 0 is white, negative numbers are blue, positive ones red; NaN is magenta. */
function signed(x) {
  if (Number.isNaN(x)) return [255, 0, 255, 255]
  const end = x < 0 ? [33, 102, 172] : [178, 24, 43], share = Math.min(Math.abs(x), 1)
  return [...white.map((w, i) => w + share * (end[i] - w)), 255]
}

/** The colour of a cell, for each way to look at it; cells is the world, at where the channels of the cell begin. */
const views = []
if (rule.channels.rgba === 4) {
  const { from } = roleOf('rgba')
  views.push(['Colours', (cells, at) => { // premultiplied; a picture wants them as they are
    const a = Math.min(Math.max(cells[at + from + 3], 0), 1)
    return [0, 1, 2].map(i => (a > 0 ? 255 * cells[at + from + i] / a : 0)).concat(255 * a)
  }])
}
if (rule.channels.rgb === 3) {
  const { from } = roleOf('rgb')
  views.push(['Colours', (cells, at) => [0, 1, 2].map(i => 255 * (cells[at + from + i] + model.brightness)).concat(255)])
}
for (const role of answers) { // the colour of the largest of its channels
  const { from, n } = roleOf(role)
  views.push([role, (cells, at) => {
    const best = largest(at, from, n)
    const seen = rule.inputMask ? cells[at + rule.inputMask.channel] > rule.inputMask.above : best > 0 // where all say one, the first is the ground
    return [...model.classColours[best % model.classColours.length], seen ? 255 : 0]
  }])
}
channelNames.forEach((name, c) => views.push([name, (cells, at) => signed(cells[at + c])]))

function draw() {
  const image = new ImageData(width, height)
  const [, colour] = views[find('view').value]
  for (let i = 0; i < height * width; i++) image.data.set(colour(world.cells, i * channels), 4 * i)
  canvas.getContext('2d').putImageData(image, 0, 0)
  const { living } = rule
  let count = 0
  if (living) for (let i = living.channel; i < world.cells.length; i += channels) count += +(world.cells[i] > living.above)
  find('status').textContent = 'step ' + t + (living ? ' · ' + count + ' cells live' : '') + (answers.length > 0 ? said(answers[0]) : '')
}

/** The name of channel number k of a role. */
const nameOf = (role, k, first) => model.names[role]?.[k] ?? String(k + first)

/**
 * The answer of the cells: their largest channel of a role. With an input mask, the vote of the cells that have an input;
 * without one, how many cells give each answer.
 */
function said(role) {
  const { from, n } = roleOf(role), votes = new Array(n).fill(0), { inputMask } = rule
  for (let at = 0; at < world.cells.length; at += channels) {
    if (!inputMask || world.cells[at + inputMask.channel] > inputMask.above) votes[largest(at, from, n)]++
  }
  const all = votes.reduce((a, b) => a + b, 0), most = votes.indexOf(Math.max(...votes))
  const share = k => Math.round(100 * votes[k] / all) + ' %'
  if (!inputMask) return votes.map((_, k) => ' · ' + nameOf(role, k, 0) + ' ' + share(k)).join('')
  return all === 0 ? '' : ' · most say ' + nameOf(role, most, 0) + ' (' + share(most) + ')'
}

/** The largest of n channels of a cell. */
function largest(at, from, n) {
  let best = 0
  for (let k = 1; k < n; k++) if (world.cells[at + from + k] > world.cells[at + from + best]) best = k
  return best
}

// WHAT IS DONE TO IT

/** A tool empties, plants or draws on all cells within the brush. */
const tools = [
  ['Erase', at => { for (const c of changing) world.cells[at + c] = 0 }, () => Number(find('brush').value)],
  ['Plant', at => { for (const c of changing) world.cells[at + c] = +(c >= model.from) }, () => 0],
]
for (const role of drawings) {
  const { from } = roleOf(role)
  const which = drawings.length > 1 ? ' ' + role : ''
  tools.unshift(['Draw' + which, at => { world.cells[at + from] = 1 }, () => 1])
  tools.push(['Wipe' + which, at => { for (let c = 0; c < channels; c++) world.cells[at + c] = 0 }, () => Number(find('brush').value)])
}

function use(y, x) {
  const [, change, reach] = tools[find('tool').value]
  const r = reach()
  for (let i = 0; i < height * width; i++) {
    const [dy, dx] = [Math.floor(i / width) - y, i % width - x]
    if (dy * dy + dx * dx <= r * r) change(i * channels)
  }
  draw()
}

let last = null // the cell where the pointer was
function pointed({ clientX, clientY }) {
  const box = canvas.getBoundingClientRect()
  const y = Math.floor((clientY - box.top) / box.height * height), x = Math.floor((clientX - box.left) / box.width * width)
  const from = last ?? [y, x], far = Math.max(Math.abs(y - from[0]), Math.abs(x - from[1]), 1)
  for (let i = 1; i <= far; i++) { // no gaps where the pointer is fast
    use(Math.round(from[0] + (y - from[0]) * i / far), Math.round(from[1] + (x - from[1]) * i / far))
  }
  last = [y, x]
}
canvas.addEventListener('pointerdown', event => {
  canvas.setPointerCapture(event.pointerId)
  last = null
  pointed(event)
})
canvas.addEventListener('pointermove', event => { if (event.buttons) pointed(event) })

let cursor = [height >> 1, width >> 1] // for the keyboard
canvas.addEventListener('keydown', event => {
  const way = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1], Enter: [0, 0] }[event.key]
  if (!way) return
  event.preventDefault()
  cursor = [(cursor[0] + way[0] + height) % height, (cursor[1] + way[1] + width) % width]
  if (event.key === 'Enter') use(...cursor)
  find('status').textContent = 'row ' + cursor[0] + ', column ' + cursor[1] + ': Enter uses the tool'
})

// CONTROLS

const options = (id, names) => names.forEach((name, i) => find(id).add(new Option(name, i)))
options('view', views.map(([name]) => name))
options('tool', tools.map(([name]) => name))
for (const role of conditions) {
  const label = document.createElement('label'), select = document.createElement('select')
  select.id = 'role-' + role
  for (let k = 0; k < roleOf(role).n; k++) select.add(new Option(nameOf(role, k, 1), k))
  select.onchange = () => { setCondition(role); draw() }
  label.append(role, select)
  find('controls').append(label)
}

function run(on) {
  running = on
  find('run').textContent = on ? 'Pause' : 'Play'
}
find('run').onclick = () => run(!running)
find('step').onclick = () => { run(false); advance(); draw() }
find('reset').onclick = () => { key = [0, key[1] + 1]; reset() }
find('view').onchange = draw
const speeds = [1, 2, 5, 10, 20, 30, 60, 120, Infinity] // steps per second
const speed = () => speeds[find('speed').value]
const say = () => {
  angle = Number(find('angle').value) * Math.PI / 180
  find('speed-is').textContent = speed() === Infinity ? 'max' : speed() + '/s'
  find('angle-is').textContent = find('angle').value + '°'
  find('brush-is').textContent = find('brush').value
}
for (const id of ['speed', 'angle', 'brush']) find(id).oninput = say
document.addEventListener('keydown', event => {
  if (event.target !== document.body || event.ctrlKey || event.metaKey) return
  const id = { ' ': 'run', s: 'step', r: 'reset' }[event.key]
  if (id) { event.preventDefault(); find(id).click() }
})

let due = 0, before = performance.now()
function frame(now) {
  if (running) {
    due = Math.min(due + (now - before) / 1000 * speed(), speed() === Infinity ? 1000 : Math.max(1, speed() / 4))
    const until = performance.now() + 12
    let stepped = false
    while (due >= 1 && performance.now() < until) {
      advance()
      due--
      stepped = true
    }
    if (stepped) draw()
  }
  before = now
  requestAnimationFrame(frame)
}

say()
reset()
// With reduced motion the page shows what has grown, paused.
if (matchMedia('(prefers-reduced-motion: reduce)').matches) {
  run(false)
  for (let i = 0; i < 96; i++) advance()
  draw()
}
requestAnimationFrame(frame)
`.trim()
