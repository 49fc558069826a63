// Why the identity provider gave no next token. No message holds a token or a secret.

/** What a failure says something about: whom to spare, the provider or this one token, or whose session has ended. */
export type Concern = 'provider' | 'token' | 'session'

interface ExchangeErrorFacts {
  /** How long the provider asks to be left alone, in milliseconds. */
  readonly retryAfterMs?: number
  /** The provider may have acted on the request: a refresh token that went along may be used up. */
  readonly isInDoubt?: boolean
}

/** Why there is no new token, for the operator. */
export class ExchangeError extends Error {
  override name = 'ExchangeError' as const
  readonly concerns: Concern
  readonly retryAfterMs: number
  readonly isInDoubt: boolean

  constructor(concerns: Concern, reason: string, { retryAfterMs = 0, isInDoubt = false }: ExchangeErrorFacts = {}) {
    super(`Cannot exchange a token: ${reason}`)
    this.concerns = concerns
    this.retryAfterMs = retryAfterMs
    this.isInDoubt = isInDoubt
  }
}
