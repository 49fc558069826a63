// The app of the demo: it answers with what reached it, so that one can see what the gate lets through and adds. It serves
// the page of the demo too, and does what the buttons there ask for. It has the admin token; the page has not.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { messageOf } from '../model/error.ts'
import { type PageFile, pageFiles, readPageFile } from './page-files.ts'

/** What is taken back: everything of this person up to now, or one session. */
export type DemoRule =
  | { readonly kind: 'subject'; readonly value: string; readonly issuedBefore: 'now' }
  | { readonly kind: 'session'; readonly value: string }

export interface DemoAppParts {
  /** Answers a new token for the visitor of the page. */
  readonly signIn: () => Promise<string>
  /** Takes back by the admin API of the gate, and answers what is matched. */
  readonly revoke: (rule: DemoRule) => Promise<string>
}

/** Where the files of the page are; the page itself is at `/`. */
const PAGE_FOLDER = '/demo/page/'

/** Nothing from elsewhere, nothing inline, and nobody may frame it. */
const PAGE_HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
  'cache-control': 'no-cache',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
}

/** Makes the app: a path that is not of the page answers 200 and says what it saw, except /missing. */
export function createDemoApp(parts: DemoAppParts): Server {
  return createServer((request, response) => {
    request.resume()
    answer(request, response, parts).catch((error: unknown) => {
      json(response, 500, { problem: messageOf(error) })
    })
  })
}

async function answer(request: IncomingMessage, response: ServerResponse, parts: DemoAppParts): Promise<void> {
  const [path = ''] = (request.url ?? '').split('?')
  const file = path === '/' ? 'index.html' : pageFiles.find((name) => path === `${PAGE_FOLDER}${name}`)
  if (request.method === 'GET' && file !== undefined) return servePage(response, file)
  if (request.method === 'POST' && path === '/demo/sign-in') return json(response, 200, { token: await parts.signIn() })
  const rule = request.method === 'POST' ? ruleFor(path, request.headers) : undefined
  if (rule !== undefined) return json(response, 200, { revoked: await parts.revoke(rule) })
  return echo(request, response)
}

/** Whom a button means is not said by the page: the gate says who is asking, in headers that nobody else can set. */
function ruleFor(path: string, headers: IncomingMessage['headers']): DemoRule | undefined {
  const { 'x-auth-subject': subject, 'x-auth-session': session } = headers
  if (path === '/demo/revoke-me' && typeof subject === 'string')
    return { kind: 'subject', value: subject, issuedBefore: 'now' }
  if (path === '/demo/revoke-my-session' && typeof session === 'string') return { kind: 'session', value: session }
  return undefined
}

function servePage(response: ServerResponse, file: PageFile): void {
  response.writeHead(200, { ...PAGE_HEADERS, 'content-type': contentTypeOf(file) })
  response.end(readPageFile(file))
}

function contentTypeOf(file: PageFile): string {
  if (file.endsWith('.html')) return 'text/html; charset=utf-8'
  if (file.endsWith('.css')) return 'text/css; charset=utf-8'
  return file.endsWith('.svg') ? 'image/svg+xml' : 'text/javascript; charset=utf-8'
}

function echo(request: IncomingMessage, response: ServerResponse): void {
  const identity = Object.fromEntries(Object.entries(request.headers).filter(([name]) => name.startsWith('x-auth-')))
  const status = request.url?.startsWith('/missing') === true ? 404 : 200
  json(response, status, { app: 'demo', method: request.method, path: request.url, identity })
}

function json(response: ServerResponse, status: number, value: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json', 'cache-control': 'no-store' })
  response.end(`${JSON.stringify(value)}\n`)
}
