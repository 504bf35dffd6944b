/**
 * The frame around the rooms: their tabs, the chip that says what computes, and the room that the address names.
 */
import { useEffect, useState } from 'preact/hooks'
import type { VNode } from 'preact'
import { addressOf, readAddress } from './address.ts'
import { rooms } from './rooms/rooms.ts'
import { Chip } from './ui/chip.tsx'
import { leaveRoom, Notice } from './ui/notice.tsx'
import { tellOfNewAddress } from './ui/wrong-address.ts'

export function App(): VNode {
  /** The address, and the number of address changes so far: each change makes the room begin anew. */
  const [{ address, n }, setAddress] = useState(() => ({ address: readAddress(location.hash), n: 0 }))
  useEffect(() => {
    // Only the event has the address that was asked for: the room may already have put its own settings back into `location`.
    const changed = ({ newURL }: HashChangeEvent): void => (
      setAddress(before => ({ address: readAddress(new URL(newURL).hash), n: before.n + 1 })))
    addEventListener('hashchange', changed)
    return () => removeEventListener('hashchange', changed)
  }, [])
  const room = rooms.find(({ name }) => name === address.room) ?? rooms[0]
  useEffect(() => {
    document.title = `${room.title} · cellgrad Studio`
    leaveRoom()
  }, [room])
  useEffect(() => tellOfNewAddress(address), [n])
  return (
    <>
      <header class="bar">
        <a class="name" href={addressOf(rooms[0].name)}>cellgrad <span>Studio</span></a>
        <nav aria-label="Rooms">
          {rooms.map(({ name, title }) => (
            <a
              key={name} href={addressOf(name)} aria-current={name === room.name ? 'page' : undefined}
              onClick={event => { if (name === room.name) event.preventDefault() }} // the room is already open
            >{title}</a>
          ))}
        </nav>
        <Chip />
      </header>
      <main>
        <h1 class="hidden">{room.title}</h1>
        <room.component key={n} settings={address.settings} />
      </main>
      <Notice />
    </>
  )
}
