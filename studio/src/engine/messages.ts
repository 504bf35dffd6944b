/**
 * The messages between the page and its worker.
 *
 *   page   → worker   call     a command of a room and its arguments
 *   worker → page     reply    its result, or the sentence of its error
 *   worker → page     event    something that the page did not ask for, like the progress of a training
 *
 * Values are copied. But typed arrays that a command returns are transferred, so a command must not return one that it keeps.
 */
export type Call = { readonly id: number; readonly room: string; readonly name: string; readonly args: readonly unknown[] }

export type Answer =
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string }
  | { readonly room: string; readonly event: unknown }
