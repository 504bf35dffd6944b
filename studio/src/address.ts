/**
 * The address of the page says where one is: the room, then its settings, as in `#play?model=lizard&size=96`.
 *
 * Settings that have their default are left out, so that the plainest address is `#play`. The address is replaced, not
 * pushed: going back leaves the room, it does not undo a slider.
 */
export type Settings = Readonly<Record<string, string>>

/** Room and settings of an address; '' where it names no room. */
export function readAddress(hash: string): { room: string; settings: Settings } {
  const [room, query = ''] = hash.replace(/^#/, '').split(/\?(.*)/s)
  return { room, settings: Object.fromEntries(new URLSearchParams(query)) }
}

/** The address of a room with settings; what is undefined is left out. */
export function addressOf(room: string, settings: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(settings).filter((entry): entry is [string, string] => entry[1] !== undefined)
  const query = new URLSearchParams(given).toString()
  return `#${room}${query && `?${query}`}`
}

/** Shows settings in the address, without a step in the history. */
export function showAddress(room: string, settings: Readonly<Record<string, string | undefined>>): void {
  const address = addressOf(room, settings)
  if (location.hash !== address) history.replaceState(null, '', address)
}
