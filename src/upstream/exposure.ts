// Can the app be reached around the gate? An app that listens on more than 127.0.0.1 answers everybody who knows the address
// of its pod. The gate tries its own addresses on the port of the app, and tells; it closes each connection at once and sends
// nothing.

import type { NetworkInterfaceInfo } from 'node:os'
import { takeConnection } from './take-connection.ts'

const INTERVAL_MS = 60_000
const MOST_ADDRESSES = 16

export interface ExposureParts {
  /** The app's URL of the moment. */
  readonly upstream: () => string
  /** The addresses of this machine that others can reach. */
  readonly addresses: () => readonly string[]
  /** Called after each look: nothing where the app is not on this machine's loopback, so that there is nothing to tell. */
  readonly onLook: (isExposed: boolean | undefined) => void
  /** After how long an address counts as one that takes no connection. Default 1000. */
  readonly connectTimeoutMs?: number
}

export interface Exposure {
  /** Looks now, and each minute from then on. */
  readonly start: () => void
  /** Looks now; resolves when it is known. */
  readonly look: () => Promise<void>
  readonly stop: () => void
}

/** Makes the look-out. Nothing is tried before it is started. */
export function watchExposure({ upstream, addresses, onLook, connectTimeoutMs = 1000 }: ExposureParts): Exposure {
  let timer: NodeJS.Timeout | undefined
  const stopped = new AbortController()
  const look = async () => {
    const port = loopbackPort(upstream())
    const tries = port === undefined ? [] : addresses().slice(0, MOST_ADDRESSES)
    const signal = AbortSignal.any([stopped.signal, AbortSignal.timeout(connectTimeoutMs)])
    const taken = await Promise.allSettled(tries.map((host) => takeConnection(host, port ?? 0, signal)))
    const isTaken = taken.some(({ status }) => status === 'fulfilled')
    if (!stopped.signal.aborted) onLook(port === undefined ? undefined : isTaken)
  }
  return {
    start: () => {
      void look()
      timer = setInterval(() => void look(), INTERVAL_MS)
      timer.unref()
    },
    look,
    stop: () => {
      clearInterval(timer)
      stopped.abort()
    },
  }
}

/** The addresses of this machine that are not its loopback. Link-local ones mean nothing without their interface. */
export function outsideAddresses(
  interfaces: Readonly<NodeJS.Dict<readonly Pick<NetworkInterfaceInfo, 'address' | 'internal'>[]>>,
): readonly string[] {
  return Object.values(interfaces).flatMap((entries = []) =>
    entries.flatMap(({ address, internal }) => (internal || /^fe80:/i.test(address) ? [] : [address])),
  )
}

function loopbackPort(upstream: string): number | undefined {
  const { hostname, port, protocol } = new URL(upstream)
  if (!/^(localhost|127\..*|\[::1\])$/.test(hostname)) return undefined
  return Number(port || (protocol === 'https:' ? 443 : 80))
}
