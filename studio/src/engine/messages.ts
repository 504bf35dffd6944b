/**
 * What the page and its worker say to each other.
 *
 *   page   → worker   call     a command of a room and its arguments
 *   worker → page     reply    its result, or the sentence of its error
 *   worker → page     event    what a room tells unasked: the progress of a training
 *
 * Values are copied; typed arrays that a command returns are handed over, so a command returns none that it keeps.
 */
export type Call = { readonly id: number; readonly room: string; readonly name: string; readonly args: readonly unknown[] }

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly room: string; readonly event: unknown }
