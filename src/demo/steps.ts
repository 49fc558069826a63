// The stories of the demo, each once: what is asked, the curl line for it, and what must come back.
import type { DemoTokens } from './issuer.ts'

export interface DemoPlaces {
  readonly gate: string
  readonly admin: string
  /** The folder that holds the tokens and the admin token. */
  readonly folder: string
}

export interface DemoStep {
  readonly title: string
  readonly method: 'GET' | 'POST' | 'DELETE'
  readonly port: 'gate' | 'admin'
  readonly path: string
  readonly token?: keyof DemoTokens | 'admin'
  readonly header?: readonly [name: string, value: string]
  readonly body?: string
  readonly status: number
  /** What the answer must show besides its status, as a word for people and a test. */
  readonly shows: string
  readonly check: (answer: { readonly headers: Headers; readonly body: string }) => boolean
}

const refusedAs = (reason: string) => ({
  shows: reason,
  check: ({ body }: { body: string }) => body.includes(`urn:sidegate:refusal:${reason}`),
})
const hasNewToken = {
  shows: 'the next token in x-refreshed-token',
  check: ({ headers }: { headers: Headers }) =>
    headers.get('x-refreshed-token')?.split('.').length === 3 &&
    headers.get('cache-control')?.includes('no-store') === true,
}

export const demoSteps: readonly DemoStep[] = [
  {
    title: 'A valid token is admitted, and the app learns who is calling',
    ...{ method: 'GET', port: 'gate', path: '/orders', token: 'alice', status: 200 },
    shows: 'x-auth-subject: alice',
    check: ({ body }) => body.includes('"x-auth-subject":"alice"'),
  },
  {
    title: 'No token, no answer from the app',
    ...{ method: 'GET', port: 'gate', path: '/orders', status: 401, ...refusedAs('token_missing') },
  },
  {
    title: 'A token that somebody else signed',
    ...{
      method: 'GET',
      port: 'gate',
      path: '/orders',
      token: 'forged',
      status: 401,
      ...refusedAs('signature_invalid'),
    },
  },
  {
    title: 'A token whose time is over',
    ...{ method: 'GET', port: 'gate', path: '/orders', token: 'expired', status: 401, ...refusedAs('token_expired') },
  },
  {
    title: 'A path that asks for a scope which the token lacks',
    ...{
      method: 'GET',
      port: 'gate',
      path: '/admin/users',
      token: 'alice',
      status: 403,
      ...refusedAs('scope_insufficient'),
    },
  },
  {
    title: 'A path that two readers would read differently',
    ...{
      method: 'GET',
      port: 'gate',
      path: '/public/..%2fadmin/users',
      token: 'alice',
      status: 400,
      ...refusedAs('path_ambiguous'),
    },
  },
  {
    title: 'A public path needs no token, and nobody can pretend to be somebody there',
    ...{ method: 'GET', port: 'gate', path: '/public/hello', header: ['x-auth-subject', 'root'], status: 200 },
    shows: 'no identity',
    check: ({ body }) => body.includes('"identity":{}'),
  },
  {
    title: 'A token that ends soon: the answer carries the next one',
    ...{ method: 'GET', port: 'gate', path: '/orders', token: 'expiring', status: 200, ...hasNewToken },
  },
  {
    title: 'The same on an answer of the app that is not 200',
    ...{ method: 'GET', port: 'gate', path: '/missing', token: 'expiring', status: 404, ...hasNewToken },
  },
  {
    title: 'A stolen token works …',
    ...{ method: 'GET', port: 'gate', path: '/orders', token: 'stolen', status: 200 },
    shows: 'x-auth-subject: bob',
    check: ({ body }) => body.includes('"x-auth-subject":"bob"'),
  },
  {
    title: '… until somebody takes its session back …',
    ...{ method: 'POST', port: 'admin', path: '/revocations', token: 'admin', status: 201 },
    body: '{"kind":"session","value":"stolen-session","reason":"stolen laptop"}',
    shows: 'what the rule will match',
    check: ({ body }) => body.includes('every token of session'),
  },
  {
    title: '… and then no more',
    ...{ method: 'GET', port: 'gate', path: '/orders', token: 'stolen', status: 401, ...refusedAs('token_revoked') },
  },
  {
    title: 'A revocation can be lifted',
    ...{ method: 'DELETE', port: 'admin', path: '/revocations/session/stolen-session', token: 'admin', status: 204 },
    shows: 'nothing more to say',
    check: ({ body }) => body === '',
  },
  {
    title: 'The gate is ready',
    ...{ method: 'GET', port: 'admin', path: '/readyz', status: 200 },
    shows: 'every check',
    check: ({ body }) => body.includes('"ready":true'),
  },
  {
    title: 'And Prometheus can scrape what happened',
    ...{ method: 'GET', port: 'admin', path: '/metrics', status: 200 },
    shows: 'sidegate_decisions_total{…reason="token_revoked"…} 1',
    check: ({ body }) => /sidegate_decisions_total\{[^}]*reason="token_revoked"[^}]*\} [1-9]/.test(body),
  },
]

/** The line that does the same in a shell. */
export function curlLine(step: DemoStep, places: DemoPlaces): string {
  const words = ['curl -i']
  if (step.method !== 'GET') words.push(`-X ${step.method}`)
  if (step.path.includes('..')) words.push('--path-as-is')
  words.push(`${places[step.port]}${step.path}`)
  if (step.token !== undefined) words.push(`-H "Authorization: Bearer $(cat ${fileOf(step.token, places)})"`)
  if (step.header !== undefined) words.push(`-H '${step.header.join(': ')}'`)
  if (step.body !== undefined) words.push(`-d '${step.body}'`)
  return words.join(' ')
}

export function fileOf(token: keyof DemoTokens | 'admin', places: Pick<DemoPlaces, 'folder'>): string {
  return `${places.folder}/${token === 'admin' ? 'admin-token' : `${token}.jwt`}`
}
