// How does a gate come by the next token from the identity provider? By asking itself, alone; or once for the whole fleet: the
// gate that takes a short lock in Redis asks, the others find there what it got. Two good tokens do no harm, so that where
// Redis is away each gate asks for itself.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Claims } from '../../model/decision.ts'
import { afterPatience } from '../../outbound-http/stall-tolerant-timer.ts'
import type { FleetEntries } from '../../redis/entries.ts'
import { ExchangeError } from './exchange-error.ts'
import { type Presented, type Stored, type SuccessorBook, tokenName } from './exchange-lock.ts'
import type { IssuedToken, Judge, SessionOver } from './judgement.ts'
import type { TokenEndpoint } from './token-endpoint.ts'

/** How often a gate looks for what another one gets. */
const LOOK_MS = 50
/** Asking the provider must not wait longer for Redis. */
const REDIS_TIMEOUT_MS = 100

/** A token that needs its next one. */
export interface Due extends Presented {
  /** How long it is worth waiting for another gate, in milliseconds. */
  readonly patienceMs: number
}

/**
 * What was got. `isFresh`: the provider said so just now. `elsewhere`: another gate is at it, or was and failed.
 * `not_held`: there is no refresh token for this token. `in_doubt`: the refresh token was sent to the provider and no answer came,
 * so that it may be used up, and is not used again.
 */
export type Obtained =
  | { readonly result: IssuedToken | SessionOver; readonly isFresh: boolean }
  | { readonly result: 'elsewhere' | 'not_held' | 'in_doubt'; readonly isFresh: false }

/** Gets the next token. Throws `ExchangeError`, `Unfit` and `StoreError`. */
export type Obtain = (due: Due) => Promise<Obtained>

export const ELSEWHERE: Obtained = { result: 'elsewhere', isFresh: false }

/** Asks with the token itself (RFC 8693), without a word to other gates. */
export function createLoneExchange(endpoint: Pick<TokenEndpoint, 'exchange'>, judge: Judge): Obtain {
  return async ({ token, text }) => {
    const next = await endpoint.exchange(text, scopeOf(token.claims))
    return { result: await judge(next, token, text), isFresh: true }
  }
}

/** What the next token may have at most, as the token spells it. */
export function scopeOf({ scope }: Claims): string | undefined {
  return typeof scope === 'string' ? scope : undefined
}

export interface SharedExchangeParts {
  readonly alone: Obtain
  readonly entries: FleetEntries
  readonly book: SuccessorBook
  readonly judge: Judge
  /** The lock ends by itself: after a failure, and after the death of the gate that has it, nobody asks until then. */
  readonly lockMs: number
}

/** The same for the whole fleet. */
export function createSharedExchange({ alone, entries, book, judge, lockMs }: SharedExchangeParts): Obtain {
  /** Answers nothing where Redis does not answer in time. */
  function claim({ text }: Due) {
    const claimed = entries.claim(lockOf(entries, text), lockMs, [book.nameOf(text)]).then(
      ({ isMine, texts }) => ({ isMine, stored: book.open(texts[0], text) }),
      () => undefined,
    )
    return soon(claimed)
  }

  function leave(due: Due, stored: Exclude<Stored, { state: 'unreadable' }>): void {
    // Nobody waits for it: where it is lost, another gate asks once more.
    entries.change([book.entry(due, stored)]).catch(() => {})
  }

  async function askFor(due: Due): Promise<Obtained> {
    try {
      const obtained = await alone(due)
      if (typeof obtained.result === 'object') leave(due, obtained.result)
      return obtained
    } catch (error) {
      if (isSessionOver(error)) leave(due, { state: 'over' })
      else lockLonger(error, due, entries, lockMs)
      throw error
    }
  }

  return async (due) => {
    const claimed = await claim(due)
    if (claimed === undefined) return askFor(due)
    const stored = claimed.stored ?? (claimed.isMine ? undefined : await waitForStored(due, entries, book))
    if (stored === undefined) return claimed.isMine ? askFor(due) : ELSEWHERE
    // Whoever wrote that: what this gate gets replaces it.
    return stored.state === 'unreadable' ? askFor(due) : judgeStored(stored, due, judge)
  }
}

/** The name of the lock that the gate has which asks the provider about this token. */
export function lockOf(entries: Pick<FleetEntries, 'nameOf'>, text: string): string {
  return entries.nameOf('exchange', tokenName(text))
}

/** Where the provider asks to be left alone for longer than the lock lasts, no gate asks about this token until then. */
export function lockLonger(error: unknown, { text }: Due, entries: FleetEntries, lockMs: number): void {
  if (!(error instanceof ExchangeError) || error.retryAfterMs <= lockMs) return
  entries.change([{ name: lockOf(entries, text), text: '1', lifetimeMs: error.retryAfterMs }]).catch(() => {})
}

/** What Redis answers in time, else nothing. */
function soon<T>(answer: Promise<T>): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const callOff = afterPatience(REDIS_TIMEOUT_MS, () => resolve(undefined))
    answer.then(resolve, reject).finally(callOff)
  })
}

const OVER = Symbol('patience is over')

/**
 * Looks again and again, as long as the token's request may wait, for what the gate with the lock leaves. The timer of that
 * runs on a clock that nobody sets, and a look that Redis is slow to answer is not waited for beyond it.
 */
export async function waitForStored(
  { text, patienceMs }: Due,
  entries: Pick<FleetEntries, 'read'>,
  book: SuccessorBook,
): Promise<Stored | undefined> {
  const over = sleep(patienceMs, OVER, { ref: false })
  while ((await Promise.race([sleep(LOOK_MS, undefined, { ref: false }), over])) !== OVER) {
    const read = await Promise.race([entries.read([book.nameOf(text)]).catch(() => []), over])
    if (read === OVER) return undefined
    const stored = book.open(read[0], text)
    if (stored !== undefined) return stored
  }
  return undefined
}

/** What another gate left is judged here as if the provider had just said it. */
export async function judgeStored(
  stored: Exclude<Stored, { state: 'unreadable' }>,
  { token, text }: Presented,
  judge: Judge,
): Promise<Obtained> {
  return { result: stored.state === 'over' ? stored : await judge(stored.text, token, text), isFresh: false }
}

export function isSessionOver(error: unknown): boolean {
  return error instanceof ExchangeError && error.concerns === 'session'
}
