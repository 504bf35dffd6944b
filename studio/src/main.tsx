/**
 * Studio: a page in which neural cellular automata grow, are trained, and can be looked into. The page draws and
 * handles input; the library computes, in a worker (engine/).
 */
import { render } from 'preact'
import { App } from './app.tsx'
import { refuseOtherDrops } from './ui/drop.ts'
import './ui/style.css'

render(<App />, document.querySelector('#app')!)
refuseOtherDrops()
