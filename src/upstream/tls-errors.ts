// Why does TLS to the app fail, and what has to be set? Told in the log, as the client only hears that the app cannot be reached.
// It must never write more than a few lines, whatever the rate of requests.
import { codeOf, isUntrusted } from '../model/error.ts'
import type { ErrorLogger } from '../model/logger.ts'

const REPEAT_MS = 60_000
const LONGEST_DETAIL = 200

const byCode: Readonly<Record<string, string>> = {
  CERT_HAS_EXPIRED: 'its certificate has expired: renew it',
  CERT_NOT_YET_VALID: 'its certificate is not valid yet: compare the clocks',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name: set "upstreamTls.serverName" to a name in it',
  ERR_SSL_WRONG_VERSION_NUMBER:
    'it does not speak TLS on this port: begin "upstream" with "http://", or name another port',
  ERR_SSL_PACKET_LENGTH_TOO_LONG:
    'it does not speak TLS on this port: begin "upstream" with "http://", or name another port',
  ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED: 'it asks for a certificate of the gate, which has none',
  ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE:
    'it refuses the handshake: it may want a certificate of the gate, or other ciphers',
  ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION: 'it speaks no TLS of version 1.2 or 1.3',
}
const untrusted =
  'its certificate is not vouched for: set "upstreamTls.caFile" to a file with the certificates that vouch for it'

/** What the error means and what would help; undefined where it is not about TLS. */
function tlsTrouble(error: Error): string | undefined {
  const code = codeOf(error)
  if (isUntrusted(code)) return untrusted
  if (Object.hasOwn(byCode, code)) return byCode[code]
  return code.startsWith('ERR_SSL_') || code.startsWith('ERR_TLS_') ? 'the handshake fails' : undefined
}

/** Makes the function that is told of each failure and logs each kind of TLS trouble at most once a minute. */
export function createTlsReport(log: ErrorLogger, monotonicMs: () => number): (error: Error, upstream: URL) => void {
  const loggedAt = new Map<string, number>()
  return (error, upstream) => {
    const trouble = tlsTrouble(error)
    if (trouble === undefined) return
    const now = monotonicMs()
    if (now - (loggedAt.get(trouble) ?? Number.NEGATIVE_INFINITY) < REPEAT_MS) return
    loggedAt.set(trouble, now)
    const detail = error.message.slice(0, LONGEST_DETAIL)
    log.error({ upstream: upstream.origin, code: codeOf(error), detail }, `Cannot connect to the app: ${trouble}`)
  }
}
