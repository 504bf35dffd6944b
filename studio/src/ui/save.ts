/** Offers a file to the browser as a download. */
export function saveFile(name: string, content: Uint8Array | string, type = ''): void {
  const url = URL.createObjectURL(new Blob([content as BlobPart], { type }))
  Object.assign(document.createElement('a'), { href: url, download: name }).click()
  setTimeout(() => URL.revokeObjectURL(url), 10_000)
}
