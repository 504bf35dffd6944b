/**
 * A server for a page on this machine: the files of one folder, read-only, for browsers on the same machine only.
 *
 * It listens on 127.0.0.1, so that no other machine can reach it. A page of another site could still send requests
 * under a name of its own that points here (DNS rebinding), so a request must name this host. The server has a list of
 * the files that existed when it began, and never opens a requested path itself, so nothing outside the folder can be
 * reached. For contents that change, like runs that train, it asks a function at each request. Its pages are
 * isolated from other origins (COOP, COEP), which gives them shared memory, and so threads.
 */
import { readdir, readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { extname, join, relative, sep } from 'node:path'
import type { AddressInfo } from 'node:net'

/** The content types of files, by the ending of their names. */
const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
  '.wasm': 'application/wasm',
}

/** Headers of every answer. They isolate the page, and let its workers, one of which runs scripts, connect only to this server. */
const isolation = {
  'content-security-policy': "connect-src 'self'",
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-cache',
} as const

/**
 * Answers a path with contents that are not files of the folder, and the ending that gives their type; null for no answer.
 */
export type Answers = (path: string) => Promise<{ readonly ending: string; readonly bytes: Uint8Array } | null>

export type PageServer = {
  /** 'http://127.0.0.1:49152/' */
  readonly address: string
  close(): Promise<void>
}

/**
 * Serves a folder with an index.html.
 *
 * @param port default 0, any free port
 * @param answers asked first, for every path
 * @throws if the folder cannot be read, or the port is taken
 */
export async function servePage(folder: string, port = 0, answers: Answers = async () => null): Promise<PageServer> {
  const files = await filesIn(folder)
  const server = createServer((request, response) => {
    answer(files, answers, (server.address() as AddressInfo | null)?.port ?? 0, request, response)
      .catch(() => response.destroy()) // the file or the client is gone
  })
  await listening(server, port)
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () => new Promise(done => {
      server.close(() => done())
      server.closeAllConnections()
    }),
  }
}

/** The files of a folder by the path of their address. */
async function filesIn(folder: string): Promise<Map<string, string>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter(entry => entry.isFile()).map(entry => join(entry.parentPath, entry.name))
  const files = new Map(paths.map(path => [`/${relative(folder, path).split(sep).join('/')}`, path]))
  const index = files.get('/index.html')
  if (index) files.set('/', index)
  return files
}

function listening(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
}

async function answer(
  files: ReadonlyMap<string, string>, answers: Answers, port: number, { method, url = '/', headers: { host } }: IncomingMessage, response: ServerResponse,
): Promise<void> {
  const say = (status: number, sentence: string): void => {
    response.writeHead(status, { ...isolation, 'content-type': 'text/plain; charset=utf-8' }).end(method === 'HEAD' ? '' : `${sentence}\n`)
  }
  if (host !== `127.0.0.1:${port}` && host !== `localhost:${port}`) return say(403, 'This page is for this machine only.')
  if (method !== 'GET' && method !== 'HEAD') return say(405, 'This server is only read from.')
  const path = pathOf(url)
  const told = await answers(path)
  const file = files.get(path)
  if (!told && file === undefined) return say(404, 'There is no such file.')
  const { ending, bytes } = told ?? { ending: extname(file!), bytes: await readFile(file!) }
  response.writeHead(200, {
    ...isolation,
    'content-type': types[ending] ?? 'application/octet-stream',
    'content-length': bytes.length,
  }).end(method === 'HEAD' ? undefined : bytes)
}

/** The decoded path of an address; '' if it cannot be decoded. */
function pathOf(url: string): string {
  try {
    return decodeURIComponent(url.replace(/[?#].*$/s, ''))
  } catch {
    return ''
  }
}
