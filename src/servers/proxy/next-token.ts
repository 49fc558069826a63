// The next token for the holder of this one, where the policy gives one out. It must never fail or delay the request that
// asked for something else.

import type { HeaderRules } from '../../http/headers/names.ts'
import type { Permit } from '../../model/decision.ts'
import { messageOf } from '../../model/error.ts'
import type { Delivery } from '../../model/next-token.ts'
import { within } from '../../model/within.ts'
import type { HandlerParts } from './dependencies.ts'

const REFRESH_TIMEOUT_MS = 2_000
const nothing: Delivery = []

/** The next token for this caller, or nothing: a refresh that fails never fails the request. */
export function deliver(
  parts: Pick<HandlerParts, 'log'>,
  permit: Permit,
  rules: HeaderRules,
): Delivery | Promise<Delivery> {
  const { refresh } = rules.policy
  if (refresh === undefined || permit.token === undefined || permit.decision !== 'permit') return nothing
  const failed = (error: unknown): Delivery => {
    parts.log.error({ error: messageOf(error) }, 'Cannot refresh the token')
    return nothing
  }
  try {
    const delivery = refresh(permit)
    if (!(delivery instanceof Promise)) return delivery ?? nothing
    return within(delivery, REFRESH_TIMEOUT_MS, tooLate).then((late) => late ?? nothing, failed)
  } catch (error) {
    return failed(error)
  }
}

/** The answer of the application does not wait for a token that does not come. */
function tooLate(): never {
  throw new Error(`Cannot refresh: no token after ${REFRESH_TIMEOUT_MS} ms`)
}
