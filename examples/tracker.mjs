// Sends the numbers of every iteration to a tracker over HTTP, twenty iterations at a time:
//
//     TRACKER_URL=http://localhost:5000/log cellgrad train 🦎 --on-metrics examples/tracker.mjs

const rows = []

export async function onMetrics(numbers, { folder, config }) {
  rows.push(numbers)
  if (rows.length < 20 && numbers.iteration < config.train.iterations) return
  const body = JSON.stringify({ run: folder, config, rows: rows.splice(0) })
  const headers = { 'Content-Type': 'application/json', Authorization: `Bearer ${process.env.TRACKER_KEY ?? ''}` }
  const answer = await fetch(process.env.TRACKER_URL, { method: 'POST', headers, body }).catch(error => error)
  if (!answer.ok) console.error(`tracker: ${answer.message ?? answer.status}`) // training goes on without it
}
