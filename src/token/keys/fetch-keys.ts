// How a key set comes over the network: https or loopback, one bounded answer, no redirects. A redirect could point
// the gate at anything inside the cluster, and an endless body would fill its memory.

import { codeOf, isUntrusted } from '../../model/error.ts'
import { type BoundedAnswer, causeOf, type Fetch, fetchBounded } from '../../outbound-http/fetch.ts'
import { withoutByteOrderMark } from './key-set.ts'

const MAXIMUM_BYTES = 1024 * 1024
const TIMEOUT_MS = 5_000

/** Answers a function that fetches the key set at this address. It throws with the reason, for the operator. */
export function fetchFrom(url: string, fetch: Fetch): () => Promise<string> {
  return () => fetchText(url, fetch)
}

/**
 * Answers a function that finds the key set by OpenID Connect Discovery 1.0 section 4: the document below the issuer
 * must name that very issuer, and an https issuer may not send us to an http key set.
 */
export function fetchByDiscovery(issuer: string, fetch: Fetch): () => Promise<string> {
  const url = `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`
  return async () => {
    const document = parseDocument(await fetchText(url, fetch), url)
    if (document.issuer !== issuer)
      throw new Error(`Cannot use ${JSON.stringify(url)}: its "issuer" is not ${JSON.stringify(issuer)}`)
    const keySetUrl = document.jwks_uri
    if (typeof keySetUrl !== 'string' || !URL.canParse(keySetUrl))
      throw new Error(`Cannot use ${JSON.stringify(url)}: its "jwks_uri" is not a URL`)
    if (new URL(url).protocol === 'https:' && new URL(keySetUrl).protocol !== 'https:')
      throw new Error(`Cannot use ${JSON.stringify(url)}: its "jwks_uri" is not https`)
    return fetchText(keySetUrl, fetch)
  }
}

async function fetchText(url: string, fetch: Fetch): Promise<string> {
  const init = { redirect: 'error', headers: { accept: 'application/json, application/jwk-set+json' } } as const
  let answer: BoundedAnswer
  try {
    answer = await fetchBounded(fetch, url, init, {
      timeoutMs: TIMEOUT_MS,
      maximumBytes: MAXIMUM_BYTES,
      onlyStatus: 200,
    })
  } catch (error) {
    throw new Error(`Cannot load keys from ${JSON.stringify(url)}: ${troubleOf(error)}`)
  }
  if (answer.status !== 200) throw new Error(`Cannot load keys from ${JSON.stringify(url)}: status is ${answer.status}`)
  return withoutByteOrderMark(answer.body.toString('utf8'))
}

function parseDocument(text: string, url: string): Record<string, unknown> {
  try {
    const document: unknown = JSON.parse(text)
    if (typeof document === 'object' && document !== null) return document as Record<string, unknown>
  } catch {}
  throw new Error(`Cannot use ${JSON.stringify(url)}: it is not a JSON object`)
}

/** What really went wrong, and what would be right where the settings can end it. */
function troubleOf(error: unknown): string {
  const cause = causeOf(error, { timeoutMs: TIMEOUT_MS })
  const hint = error instanceof Error ? hintFor(codeOf(error.cause)) : undefined
  // Node adds advice about its own flags to some messages; ours stands in its place
  return hint === undefined ? cause : `${cause.split(';', 1)[0]}: ${hint}`
}

/** What would be right, for the troubles with TLS that the settings can end. */
function hintFor(code: string): string | undefined {
  if (isUntrusted(code)) return 'set keys.caFile to a file with the certificates that vouch for this server'
  if (code === 'ERR_SSL_WRONG_VERSION_NUMBER' || code === 'ERR_SSL_PACKET_LENGTH_TOO_LONG')
    return 'that port does not speak TLS'
  return undefined
}
