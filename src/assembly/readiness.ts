// What has to be there before traffic may come. Nobody sends any before the first time that all is there: so that is the moment to
// give back the memory that only the start needed, when it keeps nobody waiting.
import type { Check } from '../admin/probes.ts'
import type { Revocations } from '../revocation/revocations.ts'
import type { Issuer } from '../token/verify.ts'

export interface ReadinessParts {
  readonly issuers: () => readonly Issuer[]
  readonly revocations: Pick<Revocations, 'readiness'>
  readonly isDraining: () => boolean
  /** Called once, before it is said for the first time that all is there. */
  readonly onFirstReady: () => void
}

/** Makes the function that answers every check, and what is missing. */
export function createReadiness(parts: ReadinessParts): () => readonly Check[] {
  let wasReady = false

  return () => {
    const missingKeys = parts.issuers().flatMap(({ policy, keys }) => {
      const missing = keys.missing()
      return missing === undefined ? [] : [`${policy.issuer}: ${missing}`]
    })
    const list = parts.revocations.readiness()
    const checks: readonly Check[] = [
      { name: 'keys', missing: missingKeys.length > 0 ? missingKeys.join('; ') : undefined },
      { name: 'revocations', missing: list.ready ? undefined : list.detail, detail: list.detail },
      { name: 'draining', missing: parts.isDraining() ? 'the gate is shutting down' : undefined },
    ]
    if (!wasReady && checks.every(({ missing }) => missing === undefined)) {
      wasReady = true
      parts.onFirstReady()
    }
    return checks
  }
}
