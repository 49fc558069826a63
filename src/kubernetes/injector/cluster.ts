// How does the injector speak with the API server? As the service account of its pod, with node:https alone, in time and
// with bounded answers. No message holds the token or the body of a Secret.

import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { join } from 'node:path'
import { codeOf } from '../../model/error.ts'
import { isTree, type Tree, textAt } from '../manifests/nested-values.ts'

const TIMEOUT_MS = 10_000
const LARGEST_ANSWER_BYTES = 4 * 1024 * 1024

export interface ClusterOptions {
  /** `https://kubernetes.default.svc` */
  readonly server: string
  /** The folder with `token` and `ca.crt`. Both are read again for each request, as the kubelet renews them. */
  readonly accountFolder: string
  /** How long a whole answer may take; default 10 s. */
  readonly timeoutMs?: number
}

export interface ClusterRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH'
  readonly path: string
  readonly body?: unknown
  /** Default `application/json`. */
  readonly contentType?: string
}

export interface ClusterAnswer {
  readonly status: number
  readonly body: Tree
}

/** Why the API server gave no answer, or one that helps nobody. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError'
}

/** Asks the API server. Rejects with a ClusterError where no answer comes; every status is an answer. */
export type AskCluster = (asked: ClusterRequest) => Promise<ClusterAnswer>

export function createCluster({ server, accountFolder, timeoutMs = TIMEOUT_MS }: ClusterOptions): AskCluster {
  return async (asked) => {
    const [token, ca] = await Promise.all([read(join(accountFolder, 'token')), read(join(accountFolder, 'ca.crt'))])
    return ask(new URL(asked.path, server), asked, { token: token.trim(), ca }, timeoutMs)
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new ClusterError(
      `Cannot read "${path}" (${codeOf(error) || 'unknown'}): the pod needs the token of its service account`,
    )
  }
}

interface Credentials {
  readonly token: string
  readonly ca: string
}

function ask(
  url: URL,
  { method, body, contentType }: ClusterRequest,
  credentials: Credentials,
  timeoutMs: number,
): Promise<ClusterAnswer> {
  const text = body === undefined ? undefined : JSON.stringify(body)
  const { promise, resolve, reject } = Promise.withResolvers<ClusterAnswer>()
  const fail = (reason: string) =>
    reject(new ClusterError(`Cannot ask the API server (${method} ${url.pathname}): ${reason}`))
  const signal = AbortSignal.timeout(timeoutMs)
  // An answer that has begun when its time is over ends as if the other side had cut it off
  const failWith = (error: Error) =>
    fail(signal.aborted ? `no answer in ${timeoutMs / 1000} s` : codeOf(error) || error.message)
  const failUnanswered = () => fail('it closed the connection without an answer')
  const sent = request(url, {
    method,
    ca: credentials.ca,
    agent: false,
    signal,
    headers: {
      authorization: `Bearer ${credentials.token}`,
      accept: 'application/json',
      ...(text !== undefined && {
        'content-type': contentType ?? 'application/json',
        'content-length': Buffer.byteLength(text),
      }),
    },
  })
  sent.on('error', failWith)
  // What ends without an answer, such as a switch of protocols, must not be waited for.
  sent.on('close', failUnanswered)
  sent.on('response', (response) => {
    sent.off('close', failUnanswered)
    const chunks: Buffer[] = []
    let bytes = 0
    response.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      if (bytes > LARGEST_ANSWER_BYTES) response.destroy(new Error('TOO_LARGE'))
      else chunks.push(chunk)
    })
    response.on('error', failWith)
    response.on('end', () => resolve({ status: response.statusCode ?? 0, body: parsed(Buffer.concat(chunks)) }))
  })
  sent.end(text)
  return promise
}

function parsed(bytes: Buffer): Tree {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return isTree(value) ? value : {}
  } catch {
    return {}
  }
}

/** The body of an answer that had to be a success. */
export function expectSuccess(answer: ClusterAnswer, what: string): Tree {
  if (answer.status >= 200 && answer.status < 300) return answer.body
  throw failureOf(answer, what)
}

/** Why something could not be done, by what the API server says. */
export function failureOf({ status, body }: ClusterAnswer, what: string): ClusterError {
  const said = textAt(body, 'message')
  const quoted = said === undefined ? '' : `, "${said.slice(0, 300)}"`
  return new ClusterError(`Cannot ${what}: the API server answers ${status}${quoted}`)
}
