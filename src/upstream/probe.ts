// How is the app, which the kubelet cannot reach? Asks the app on this machine in the kubelet's place. What is asked comes
// from the settings, never from the request, and nothing that the app says but its status goes back: anybody who reaches the
// admin port may ask.

import { type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { type Answer, problem, text } from '../http/answer.ts'
import { type AppProbes, type ProbeKind, type ProbeTarget, probeKinds } from '../model/app-probe.ts'
import { codeOf } from '../model/error.ts'
import { takeConnection } from './take-connection.ts'

/** Longer than any sensible `timeoutSeconds` of a probe, which ends the question earlier. */
const TIMEOUT_MS = 10_000

export interface AppProbeParts {
  /** The settings of the moment. */
  readonly probes: () => AppProbes
  /** How long the app may take to begin its answer; default 10 s. */
  readonly timeoutMs?: number
}

/**
 * Makes the function that answers `/app-probe/<container>/<kind>`: 200 where the app answers with 2xx or 3xx, or takes a
 * connection where the target is tcp; 503 where it does not; 404 where the settings have no such probe. Who asks while the
 * same question is under way gets the same answer, so the app is never asked more often than it can tell.
 */
export function createAppProbe({ probes, timeoutMs = TIMEOUT_MS }: AppProbeParts): (path: string) => Promise<Answer> {
  const underWay = new Map<string, Promise<Answer>>()
  return (path) => {
    const target = targetOf(path, probes())
    if (target === undefined)
      return Promise.resolve(problem(404, 'Not found', 'The setting "admin.appProbes" has no such container and probe'))
    const present = underWay.get(path)
    if (present !== undefined) return present
    const answer = ask(target, timeoutMs).finally(() => underWay.delete(path))
    underWay.set(path, answer)
    return answer
  }
}

function targetOf(path: string, probes: AppProbes): ProbeTarget | undefined {
  const [, container = '', kind = ''] = /^\/app-probe\/([a-z0-9-]+)\/([a-z]+)$/.exec(path) ?? []
  if (!isKind(kind) || !Object.hasOwn(probes, container)) return undefined
  return probes[container]?.[kind]
}

function isKind(text: string): text is ProbeKind {
  return (probeKinds as readonly string[]).includes(text)
}

async function ask(target: ProbeTarget, timeoutMs: number): Promise<Answer> {
  const { url: address, headers } = typeof target === 'string' ? { url: target, headers: {} } : target
  const url = new URL(address)
  const signal = AbortSignal.timeout(timeoutMs)
  try {
    if (url.protocol === 'tcp:') {
      await takeConnection(url.hostname.replace(/^\[|\]$/g, ''), Number(url.port), signal)
      return text(200, 'The app takes connections')
    }
    const status = await statusOf(url, headers, signal)
    return text(status >= 200 && status < 400 ? 200 : 503, `The app answered ${status}`)
  } catch (error) {
    return text(503, `The app did not answer: ${reasonOf(error, signal)}`)
  }
}

/** The status alone: redirects are not followed, and the body is not read. */
function statusOf(url: URL, headers: Readonly<Record<string, string>>, signal: AbortSignal): Promise<number> {
  return new Promise((resolve, reject) => {
    const options = { agent: false, headers: { 'user-agent': 'sidegate-probe', ...headers }, signal } as const
    // As the kubelet does: on the way to this machine itself, a certificate proves nothing.
    const request: ClientRequest =
      url.protocol === 'https:'
        ? requestHttps(url, { ...options, rejectUnauthorized: false })
        : requestHttp(url, options)
    request.once('response', (response) => {
      // An app that is told "100 Continue" or sends early hints has not answered yet; those are other events.
      response.on('error', () => {})
      response.destroy()
      resolve(response.statusCode ?? 0)
    })
    request.on('error', reject)
    // What ends without an answer, such as a switch of protocols, must not be waited for.
    request.on('close', () => reject(new Error('closed')))
    request.end()
  })
}

function reasonOf(error: unknown, signal: AbortSignal): string {
  if (signal.aborted) return 'it took too long'
  const code = codeOf(error) || 'ECONNRESET'
  return reasons[code] ?? `the system says ${code}`
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection',
}
