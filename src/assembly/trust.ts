// How is a server asked that a private authority vouches for? The one other door to undici: the fetch of Node takes no
// certificates. It trusts the given authority alone, and must never be used for requests of clients.
import { Agent, fetch as fetchWithAgent } from 'undici'
import type { Fetch } from '../model/bounded-fetch.ts'

/** Makes a fetch that trusts these certificates (PEM) in place of those of the system. */
export function createTrustingFetch(authority: string): Fetch {
  const dispatcher = new Agent({ connect: { ca: authority }, connections: 4 })
  return ((url: string, init: object) => fetchWithAgent(url, { ...init, dispatcher })) as unknown as Fetch
}

/** Answers a fetch for the authority of the moment: a new one is made when the certificates are others than before. */
export function createRenewedFetch(authority: () => string | undefined, system: Fetch): Fetch {
  let made: { readonly authority: string; readonly fetch: Fetch } | undefined
  return (url, init) => {
    const present = authority()
    if (present === undefined) return system(url, init)
    if (made?.authority !== present) made = { authority: present, fetch: createTrustingFetch(present) }
    return made.fetch(url, init)
  }
}
