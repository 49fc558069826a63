// The claims of a payload as they are judged, whatever the provider's habits: `null` where a member is absent, and numbers where
// others write names.

/** The members that revocation rules name: of a token, its issuer, its subject, its session and its client. */
export const NAME_CLAIMS = ['iss', 'sub', 'jti', 'sid', 'azp', 'client_id'] as const
const NULLABLE = [...NAME_CLAIMS, 'exp', 'nbf', 'iat', 'aud', 'cnf'] as const

/**
 * `null` is an absent member, and a whole number in the place of a name is its decimal text, which is what a rule can say. Answers
 * the same object where there is nothing to change.
 */
export function plainClaims(payload: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  let plain: Record<string, unknown> | undefined
  for (const name of NULLABLE) {
    if (payload[name] !== null) continue
    plain ??= { ...payload }
    delete plain[name]
  }
  for (const name of NAME_CLAIMS) {
    if (name === 'iss' || !Number.isSafeInteger(payload[name])) continue
    plain ??= { ...payload }
    plain[name] = String(payload[name])
  }
  return plain ?? payload
}
