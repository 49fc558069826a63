// Should this request's answer carry the next token, issued by the identity provider? One exchange per token, its result
// kept for the window. It never holds a response up for longer than the time-out, never gives out a token that we would refuse,
// and never fails the request.
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import type { Clock } from '../model/clock.ts'
import { credential, type Permit, type VerifiedToken } from '../model/decision.ts'
import { isRefusal, type Refusal } from '../model/refusal.ts'
import { type BackOff, backOffAfter, noBackOff } from './back-off.ts'
import { type Delivery, type DeliveryPolicy, deliveryOf, type Refresher, type RefreshResult } from './delivery.ts'
import { objectionTo } from './succession.ts'
import { isInWindow, type SuccessorPolicy, sessionEndSeconds } from './successor.ts'
import { type AskProvider, ExchangeError } from './token-endpoint.ts'

const REMEMBERED_RESULTS = 10_000
const REMEMBERED_BYTES = 16 * 1024 * 1024
const BYTES_PER_ENTRY = 300
/** A provider that hangs must not collect requests of ours without end. */
const MAXIMUM_FLIGHTS = 64
/** The characters of a compact JWS, and so nothing that could end a header line. */
const COMPACT_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/

export interface ExchangerParts {
  readonly policy: SuccessorPolicy &
    DeliveryPolicy & {
      /** How long a response waits for an exchange that its request, or one before, began. */
      readonly timeoutMs: number
    }
  readonly ask: AskProvider
  /** Would the gate admit this token now, whatever the path? */
  readonly admit: (text: string) => VerifiedToken | Refusal | Promise<VerifiedToken | Refusal>
  readonly clock: Clock
  /** Milliseconds that only move forward. */
  readonly monotonic: Clock
  readonly observe: (issuer: string, result: RefreshResult) => void
  /** Told once per failed exchange why, for the operator. */
  readonly report: (issuer: string, problem: string) => void
}

/** What is known of a token's successor. */
type Result =
  | { readonly state: 'issued'; readonly text: string; readonly expiresAtSeconds: number }
  | { readonly state: 'over' }
  | { readonly state: 'failed'; readonly backOff: BackOff }

/** An exchange under way: its result, or nothing once the time-out is over. The result then comes with a later response. */
type Flight = Promise<Result | undefined>

/** A token that was issued and must not be given out. */
class Unfit extends Error {
  override name = 'Unfit' as const
  readonly result: RefreshResult

  constructor(reason: string, result: RefreshResult = 'failed') {
    super(`Cannot use the token that the provider issued: ${reason}`)
    this.result = result
  }
}

/** Makes the function that answers the exchanged token for an admitted request. */
export function createExchanger(parts: ExchangerParts): Refresher {
  const { policy, ask, admit, clock, monotonic, observe } = parts
  const flights = new Map<string, Flight>()
  const results = new LRUCache<string, Result>({
    max: REMEMBERED_RESULTS,
    maxSize: REMEMBERED_BYTES,
    sizeCalculation: (result) => BYTES_PER_ENTRY + (result.state === 'issued' ? result.text.length : 0),
  })
  let provider = noBackOff

  /** Starts an exchange, or nothing where the provider or this token is to be spared. */
  function begin(token: VerifiedToken, text: string, key: string, known: Result | undefined): Flight | undefined {
    const nowMs = monotonic()
    if (nowMs < provider.untilMs || (known?.state === 'failed' && nowMs < known.backOff.untilMs)) return undefined
    // After a failure one at a time, until the provider answers again.
    if (flights.size >= (provider.failures > 0 ? 1 : MAXIMUM_FLIGHTS)) return undefined
    const landing = fly(token, text, known).then((result) => {
      flights.delete(key)
      if (result !== undefined) results.set(key, result)
      return result
    })
    const flight = within(landing, policy.timeoutMs)
    flights.set(key, flight)
    return flight
  }

  /** The whole exchange. Answers nothing where nothing was learned about the token. Never rejects. */
  async function fly(token: VerifiedToken, text: string, known: Result | undefined): Promise<Result | undefined> {
    const asked = provider
    try {
      const next = await ask(text, typeof token.claims.scope === 'string' ? token.claims.scope : undefined)
      provider = noBackOff
      return await judge(next, token, text)
    } catch (error) {
      observe(token.issuer, error instanceof Unfit ? error.result : 'failed')
      parts.report(token.issuer, problemOf(error))
      if (!(error instanceof ExchangeError) || error.concerns === 'token') {
        if (error instanceof ExchangeError) provider = noBackOff
        return failedAgain(known)
      }
      // Exchanges that were under way together fail together, and count as one failure.
      if (provider === asked) provider = backOffAfter(asked, monotonic())
      return undefined
    }
  }

  function failedAgain(known: Result | undefined): Result {
    const before = known?.state === 'failed' ? known.backOff : noBackOff
    return { state: 'failed', backOff: backOffAfter(before, monotonic()) }
  }

  /** Is what the provider issued what we would admit, and the next of this token? Throws `Unfit`. */
  async function judge(next: string, token: VerifiedToken, text: string): Promise<Result> {
    if (next.length > policy.maxBytes)
      throw new Unfit(`it has ${next.length} bytes, more than ${policy.maxBytes}`, 'own_token_too_large')
    if (!COMPACT_TOKEN.test(next)) throw new Unfit('it is not a JWT in compact form')
    const admitted = await admit(next)
    if (isRefusal(admitted)) throw new Unfit(`the gate would refuse it as "${admitted.reason}"`)
    const objection = objectionTo(admitted, token, policy, clock() / 1000)
    if (objection !== undefined) throw new Unfit(objection)
    // Time has passed since the request was admitted: who was revoked meanwhile gets nothing.
    const before = await admit(text)
    if (isRefusal(before)) throw new Unfit(`the token that it succeeds is refused by now as "${before.reason}"`)
    const expiresAtSeconds = admitted.claims.exp
    if (expiresAtSeconds > sessionEndSeconds(token, policy)) return { state: 'over' }
    return { state: 'issued', text: next, expiresAtSeconds }
  }

  function give(result: Result | undefined, permit: Permit, token: VerifiedToken): Delivery | undefined {
    if (result === undefined || result.state === 'failed') return undefined
    observe(token.issuer, result.state === 'over' ? 'session_over' : 'issued')
    if (result.state === 'over') return undefined
    return deliveryOf(result.text, permit.source, policy, result.expiresAtSeconds - clock() / 1000)
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
    return within(
      admitted.then(conclude, () => undefined),
      policy.timeoutMs,
    )
  }

  return (permit) => {
    const { token, [credential]: text } = permit
    if (token === undefined || text === undefined || !isInWindow(token, policy, clock() / 1000)) return undefined
    if (sessionEndSeconds(token, policy) <= token.claims.exp) {
      observe(token.issuer, 'session_over')
      return undefined
    }
    const key = keyOf(text)
    const known = results.get(key)
    if (known !== undefined && known.state !== 'failed') return giveAgain(known, permit, token, key)
    const flight = flights.get(key) ?? begin(token, text, key, known)
    return flight?.then((result) => give(result, permit, token))
  }
}

/** Names a token by what is signed of it: a signature can be spelled in several ways. */
function keyOf(text: string): string {
  return hash('sha256', text.slice(0, text.lastIndexOf('.')), 'base64url')
}

/** A bug's message may hold anything, and the token is at hand: its name alone is told. */
function problemOf(error: unknown): string {
  if (error instanceof ExchangeError || error instanceof Unfit) return error.message
  return `Cannot exchange a token: ${error instanceof Error ? error.name : 'unknown error'}`
}

/** The promise's value if it comes in time, else nothing. */
function within<T>(promise: Promise<T>, timeoutMs: number): Promise<T | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => resolve(undefined), timeoutMs)
    void promise.then((value) => {
      clearTimeout(timer)
      resolve(value)
    })
  })
}
