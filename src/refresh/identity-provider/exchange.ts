// Should this request's answer carry the next token, issued by the identity provider? One exchange per token, its result
// kept for the window. It never holds a response up for longer than the time-out, never gives out a token that we would refuse,
// and never fails the request.

import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Admit } from '../../gate/admission.ts'
import type { Clock } from '../../model/clock.ts'
import { credential, type Permit, type VerifiedToken } from '../../model/decision.ts'
import type { Delivery, Refresh } from '../../model/next-token.ts'
import { isRefusal, type Refusal } from '../../model/refusal.ts'
import { within } from '../../model/within.ts'
import { type DeliveryPolicy, deliveryOf, type RefreshResult } from '../delivery.ts'
import { isInWindow, type SuccessorPolicy, sessionEndSeconds } from '../successor.ts'
import { type BackOff, backOffAfter, noBackOff, pauseAfter } from './back-off.ts'
import { ExchangeError } from './exchange-error.ts'
import { StoreError, tokenName } from './exchange-lock.ts'
import { type IssuedToken, type SessionOver, Unfit } from './judgement.ts'
import type { Obtain } from './obtain.ts'
import { type Asking, createProviderBackOff } from './provider-back-off.ts'

const REMEMBERED_RESULTS = 10_000
const REMEMBERED_BYTES = 16 * 1024 * 1024
const BYTES_PER_ENTRY = 300
/** What ails Redis ails every token: it is told once in a while, not once for each. */
const STORE_PROBLEM_EVERY_MS = 60_000
/** A refresh token in doubt stays so, unless the login app hands in another one. */
const IN_DOUBT_MS = 60_000
const IN_DOUBT =
  'Cannot exchange a token: the provider was asked with its refresh token and no answer came, so that it may be used up; it is not used again'

export interface ExchangerParts {
  readonly policy: SuccessorPolicy &
    DeliveryPolicy & {
      /** How long a response waits for an exchange that its request, or one before, began. */
      readonly timeoutMs: number
    }
  readonly obtain: Obtain
  readonly admit: Admit
  readonly clock: Clock
  /** Milliseconds that only move forward. */
  readonly monotonic: Clock
  readonly observe: (issuer: string, result: RefreshResult) => void
  /** Told of every exchange that begins. */
  readonly track?: ((landing: Promise<unknown>) => void) | undefined
  /** Told once per failed exchange why, for the operator. */
  readonly report: (issuer: string, problem: string) => void
}

/** What is known of a token's successor. */
type Result = IssuedToken | SessionOver | None

interface None {
  readonly state: 'none'
  readonly backOff: BackOff
  /** Told to the operator already. */
  readonly isInDoubt?: boolean
}

/** An exchange under way: its result, or nothing once the time-out is over. The result then comes with a later response. */
type Flight = Promise<Result | undefined>

/** Makes the function that answers the exchanged token for an admitted request. */
export function createExchanger(parts: ExchangerParts): Refresh {
  const { policy, obtain, admit, clock, monotonic, observe } = parts
  const flights = new Map<string, Flight>()
  const results = new LRUCache<string, Result>({
    max: REMEMBERED_RESULTS,
    maxSize: REMEMBERED_BYTES,
    sizeCalculation: (result) => BYTES_PER_ENTRY + (result.state === 'issued' ? result.text.length : 0),
  })
  const storeProblems = new Map<string, number>()
  const provider = createProviderBackOff(monotonic)

  /** Starts an exchange, or nothing where the provider or this token is to be spared. */
  function begin(token: VerifiedToken, text: string, key: string, known: Result | undefined): Flight | undefined {
    const asking = provider.begin(subjectOf(token), backOffOf(known))
    if (asking === undefined) return undefined
    const landing = fly(token, text, known, asking).then((result) => {
      provider.end(asking)
      flights.delete(key)
      results.set(key, result)
      return result
    })
    parts.track?.(landing)
    const flight = within(landing, policy.timeoutMs, nothing)
    flights.set(key, flight)
    return flight
  }

  /** The whole exchange. Never rejects. */
  async function fly(token: VerifiedToken, text: string, known: Result | undefined, asking: Asking): Promise<Result> {
    try {
      // Who waited in vain for another gate only looks whether it has come to an end.
      const patienceMs = known === undefined ? policy.timeoutMs : 0
      const { result, isFresh } = await obtain({ token, text, patienceMs })
      if (isFresh) provider.worked(asking)
      if (typeof result === 'object') return result
      if (result === 'in_doubt') return inDoubt(token, known)
      if (result === 'not_held') observe(token.issuer, 'no_refresh_token')
      return { state: 'none', backOff: pauseAfter(backOffOf(known), monotonic()) }
    } catch (error) {
      return learnFrom(error, token, known, asking)
    }
  }

  /** What a failure says about the token, and about the provider. */
  function learnFrom(error: unknown, { issuer }: VerifiedToken, known: Result | undefined, asking: Asking): Result {
    if (!(error instanceof StoreError) || isNews(error)) parts.report(issuer, problemOf(error))
    if (error instanceof ExchangeError && error.concerns === 'provider') provider.failed(asking, error.retryAfterMs)
    else if (isAnswerOf(error)) provider.worked(asking)
    if (error instanceof ExchangeError && error.concerns === 'session') return { state: 'over' }
    observe(issuer, error instanceof Unfit ? error.result : 'failed')
    return failedAgain(known, error instanceof ExchangeError ? error.retryAfterMs : 0)
  }

  function inDoubt({ issuer }: VerifiedToken, known: Result | undefined): Result {
    observe(issuer, 'failed')
    if (known?.state !== 'none' || known.isInDoubt !== true) parts.report(issuer, IN_DOUBT)
    return { state: 'none', isInDoubt: true, backOff: pauseAfter(backOffOf(known), monotonic(), IN_DOUBT_MS) }
  }

  function isNews({ message }: StoreError): boolean {
    const nowMs = monotonic()
    const toldMs = storeProblems.get(message)
    if (toldMs !== undefined && nowMs - toldMs < STORE_PROBLEM_EVERY_MS) return false
    storeProblems.set(message, nowMs)
    return true
  }

  function failedAgain(known: Result | undefined, retryAfterMs = 0): Result {
    return { state: 'none', backOff: backOffAfter(backOffOf(known), monotonic(), retryAfterMs) }
  }

  function give(result: Result | undefined, permit: Permit, token: VerifiedToken): Delivery | undefined {
    if (result === undefined || result.state === 'none') return undefined
    observe(token.issuer, result.state === 'over' ? 'session_over' : 'issued')
    if (result.state === 'over') return undefined
    return deliveryOf(result.text, permit.sources, policy, result.expiresAtSeconds - clock() / 1000)
  }

  /** A remembered token may have been revoked since, or its key withdrawn. */
  function giveAgain(
    result: Result,
    permit: Permit,
    token: VerifiedToken,
    key: string,
  ): Delivery | undefined | Promise<Delivery | undefined> {
    if (result.state !== 'issued') return give(result, permit, token)
    const conclude = (admitted: VerifiedToken | Refusal): Delivery | undefined => {
      if (!isRefusal(admitted)) return give(result, permit, token)
      observe(token.issuer, 'failed')
      results.set(key, failedAgain(undefined))
      return undefined
    }
    const admitted = admit(result.text)
    if (!(admitted instanceof Promise)) return conclude(admitted)
    return within(admitted.then(conclude, nothing), policy.timeoutMs, nothing)
  }

  return (permit) => {
    const { token, [credential]: text } = permit
    if (token === undefined || text === undefined || !isInWindow(token, policy, clock() / 1000)) return undefined
    if (sessionEndSeconds(token, policy) <= token.claims.exp) {
      observe(token.issuer, 'session_over')
      return undefined
    }
    const key = tokenName(text)
    const known = results.get(key)
    if (known !== undefined && known.state !== 'none') return giveAgain(known, permit, token, key)
    const flight = flights.get(key) ?? begin(token, text, key, known)
    return flight?.then((result) => give(result, permit, token))
  }
}

/** The person for whom the provider is asked, shorter than a `sub` may be. */
function subjectOf({ issuer, id, claims: { sub = id } }: VerifiedToken): string {
  return hash('sha256', `${issuer}\0${sub}`, 'base64url')
}

/** Whether the provider answered as one that works does. An answer that cannot be read says nothing about the provider. */
function isAnswerOf(error: unknown): boolean {
  return error instanceof Unfit || (error instanceof ExchangeError && !error.isInDoubt)
}

const nothing = (): undefined => undefined

function backOffOf(known: Result | undefined): BackOff {
  return known?.state === 'none' ? known.backOff : noBackOff
}

/** A bug's message may hold anything, and the token is at hand: its name alone is told. */
function problemOf(error: unknown): string {
  if (error instanceof ExchangeError || error instanceof StoreError || error instanceof Unfit) return error.message
  return `Cannot exchange a token: ${error instanceof Error ? error.name : 'unknown error'}`
}
