// What has to be there before traffic may come. Once it was there, only shutting down takes traffic away: what fails later fails
// for every pod at once, and a fleet without a ready pod serves nobody. Nobody sends traffic before the first time: so that is
// the moment to give back the memory that only the start needed, when it keeps nobody waiting.
import type { Check } from '../http/probes.ts'
import type { Clock } from '../model/clock.ts'
import type { Revocations } from '../revocation/revocations.ts'
import type { Issuer } from '../token/verify.ts'

/** How long a start waits for the keys of every issuer, once there are those of at least one. */
const PATIENCE_MS = 15_000

export interface ReadinessParts {
  readonly issuers: () => readonly Issuer[]
  readonly revocations: Pick<Revocations, 'readiness'>
  readonly isDraining: () => boolean
  /** A monotonic clock in milliseconds. Keys are fetched from the moment on at which the readiness is made. */
  readonly monotonic: Clock
  /** Called once, before it is said for the first time that all is there. */
  readonly onFirstReady: () => void
}

/** Makes the function that answers every check, and what is missing. */
export function createReadiness(parts: ReadinessParts): () => readonly Check[] {
  const { monotonic } = parts
  const startedMs = monotonic()
  let wasReady = false

  function lookAtKeys(): { readonly isEnough: boolean; readonly lacking: string | undefined } {
    const issuers = parts.issuers()
    const lacking = issuers.flatMap(({ policy, keys }) => {
      const missing = keys.missing()
      return missing === undefined ? [] : [`${policy.issuer}: ${missing}`]
    })
    const isPatienceOver = monotonic() - startedMs >= PATIENCE_MS
    return {
      isEnough: lacking.length === 0 || (isPatienceOver && lacking.length < issuers.length),
      lacking: lacking.length === 0 ? undefined : lacking.join('; '),
    }
  }

  return () => {
    const keys = lookAtKeys()
    const list = parts.revocations.readiness()
    const isDraining = parts.isDraining()
    if (!wasReady && keys.isEnough && list.ready && !isDraining) {
      wasReady = true
      parts.onFirstReady()
    }
    return [
      { name: 'keys', missing: wasReady || keys.isEnough ? undefined : keys.lacking, detail: keys.lacking },
      { name: 'revocations', missing: wasReady || list.ready ? undefined : list.detail, detail: list.detail },
      { name: 'draining', missing: isDraining ? 'the gate is shutting down' : undefined },
    ]
  }
}
