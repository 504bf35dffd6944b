declare module 'virtual:declarations' {
  /** The text of each declaration file by its path; see `studio/declarations.ts`. */
  export const files: Readonly<Record<string, string>>
}
