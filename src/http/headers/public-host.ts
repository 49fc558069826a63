// Which host did the client ask for? The one that a trusted proxy names, read from the same headers that the app gets, or else
// the Host of the request. A decision about the host asks here, so that it never believes another header than the app does.
import type { RequestView } from '../../model/decision.ts'
import { forwardedHost, keepForwardedField, noForwardedFields } from './forwarded.ts'

/** Makes the function that answers host and port; empty where no request came in. */
export function createPublicHost(isTrustedProxy: (peer: string) => boolean): (view: RequestView) => string {
  return ({ headers, host = '', peer }) => {
    if (peer === undefined || !isTrustedProxy(peer)) return host
    const fields = noForwardedFields()
    for (let at = 0; at < headers.length; at += 2) keepForwardedField(fields, headers[at] ?? '', headers[at + 1] ?? '')
    return forwardedHost(fields) ?? host
  }
}
