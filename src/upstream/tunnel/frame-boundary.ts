// Where does a WebSocket frame end? So that a close frame of ours can be put between two frames of the application, never
// into one (RFC 6455 section 5.2). It reads lengths only: it must never judge, change or keep a byte.

/** Follows one direction of a WebSocket connection. */
export interface FrameBoundary {
  readonly follow: (chunk: Uint8Array) => void
  /** True where everything seen so far is whole frames. */
  readonly isAtBoundary: () => boolean
}

/** Makes a follower that starts at a boundary, right after the 101. */
export function createFrameBoundary(): FrameBoundary {
  let headerLeft = 2
  let seenHeader = 0
  let lengthBytes = 0
  let isMasked = false
  let payloadLeft = 0

  const headerByte = (byte: number): void => {
    if (seenHeader === 1) {
      isMasked = byte >= 0x80
      const short = byte & 0x7f
      lengthBytes = short === 126 ? 2 : short === 127 ? 8 : 0
      payloadLeft = lengthBytes === 0 ? short : 0
      headerLeft += lengthBytes + (isMasked ? 4 : 0)
    } else if (seenHeader >= 2 && seenHeader < 2 + lengthBytes) {
      payloadLeft = payloadLeft * 256 + byte
    }
    seenHeader += 1
    headerLeft -= 1
  }
  const startFrame = (): void => {
    headerLeft = 2
    seenHeader = 0
  }
  const follow = (chunk: Uint8Array): void => {
    let at = 0
    while (at < chunk.length) {
      if (headerLeft > 0) {
        headerByte(chunk[at] ?? 0)
        at += 1
      } else {
        const taken = Math.min(payloadLeft, chunk.length - at)
        payloadLeft -= taken
        at += taken
      }
      if (headerLeft === 0 && payloadLeft === 0) startFrame()
    }
  }
  return { follow, isAtBoundary: () => seenHeader === 0 }
}

/** An unmasked close frame with status 1008, policy violation (RFC 6455 sections 5.5.1 and 7.4.1). */
export const policyViolationFrame: Uint8Array = Uint8Array.of(0x88, 0x02, 0x03, 0xf0)
