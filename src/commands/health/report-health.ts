// What does the gate at this address say of itself? Loads nothing but Node's own: a probe runs every few seconds, in the
// memory and the share of the processor that the gate itself has to live on.

import { get } from 'node:http'
import { codeOf, messageOf } from '../../model/error.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'

const TIMEOUT_MS = 5000
/** More than `/readyz` ever says; what else may listen there is not read to its end. */
const MOST_CHARACTERS = 16_384

/** Where the admin port of a gate is. */
interface Place {
  readonly host: string
  readonly port: number
}

/** Prints what `/livez`, or `/readyz`, says. Answers 0 where it is 200 in time, else 1. */
export async function reportHealth(
  listen: Place,
  ready: boolean,
  shell: Shell,
  timeoutMs = TIMEOUT_MS,
): Promise<number> {
  const signal = AbortSignal.timeout(timeoutMs)
  const path = ready ? '/readyz' : '/livez'
  const [place, otherwise] = reachable(listen)
  try {
    const { status, body } = await ask(place, path, signal).catch((error: unknown) => {
      // A pod may have one family of addresses alone
      if (otherwise === undefined || !isUnreached(error)) throw error
      return ask(otherwise, path, signal)
    })
    shell.print(body.trim())
    return status === 200 ? DONE : ANSWER_IS_NO
  } catch (error) {
    const reason = signal.aborted ? `there is no answer within ${timeoutMs / 1000} s` : reasonOf(error)
    const { host, port } = listen
    const name = host.includes(':') ? `[${host}]:${port}` : `${place.host}:${port}`
    shell.complain(`Cannot ask the gate at "${name}": ${reason}`)
    return ANSWER_IS_NO
  }
}

/** The plain forms of `sidegate health`, which need neither settings nor libraries; nothing for every other command line. */
export function quickHealth(given: readonly string[], shell: Shell): Promise<number> | undefined {
  const [match, , typed] = /^health( --ready)?(?: --admin (\S+))?$/.exec(given.join(' ')) ?? []
  const place = typed ?? shell.environment.SIDEGATE_ADMIN_LISTEN ?? '[::]:9090'
  const [, ipv4, ipv6, port] = /^(?:(\d+\.\d+\.\d+\.\d+)|\[(::1?)\]):([1-9]\d{0,4})$/.exec(place) ?? []
  const host = ipv4 ?? ipv6
  if (match === undefined || host === undefined) return undefined
  return reportHealth({ host, port: Number(port) }, given.includes('--ready'), shell)
}

/** Who listens on all addresses is asked on this machine's own. */
function reachable({ host, port }: Place): readonly [Place, Place?] {
  if (host === '0.0.0.0') return [{ host: '127.0.0.1', port }]
  if (host !== '::') return [{ host, port }]
  return [
    { host: '127.0.0.1', port },
    { host: '::1', port },
  ]
}

function isUnreached(error: unknown): boolean {
  return ['ECONNREFUSED', 'EADDRNOTAVAIL', 'ENETUNREACH', 'EHOSTUNREACH', 'EAFNOSUPPORT'].includes(codeOf(error))
}

interface Answered {
  readonly status: number
  readonly body: string
}

function ask({ host, port }: Place, path: string, signal: AbortSignal): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const rejectUnanswered = () => reject(new Error('it closed the connection without an answer'))
    const request = get({ host, port, path, agent: false, signal }, async (response) => {
      request.off('close', rejectUnanswered)
      try {
        let body = ''
        for await (const chunk of response.setEncoding('utf8')) {
          body = `${body}${chunk}`.slice(0, MOST_CHARACTERS)
          if (body.length === MOST_CHARACTERS) break
        }
        resolve({ status: response.statusCode ?? 0, body })
      } catch (error) {
        reject(error)
      }
    })
    request.on('error', reject)
    // What ends without an answer, such as a switch of protocols, must not be waited for.
    request.on('close', rejectUnanswered)
  })
}

function reasonOf(error: unknown): string {
  return codeOf(error) === 'ECONNREFUSED' ? 'nothing listens there' : messageOf(error)
}
