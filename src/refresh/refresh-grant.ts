// How does a gate come by the next token with the refresh token that is held for it (RFC 6749 section 6)? A provider that sees
// one refresh token twice ends the session, so this is never asked without the lock, and what the provider answers is in Redis
// before anybody gets it.
import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../model/clock.ts'
import {
  type EntryChange,
  type FleetEntries,
  type RefreshTokenBook,
  type Stored,
  StoreError,
  type SuccessorBook,
  tokenName,
} from './fleet-entries.ts'
import type { IssuedToken, Judge, SessionOver } from './judgement.ts'
import { type Due, ELSEWHERE, isSessionOver, judgeStored, type Obtain, scopeOf, waitForStored } from './obtain.ts'
import type { Refreshed, TokenEndpoint } from './token-endpoint.ts'

/** How much of the lock may be gone when the provider is asked: a process that stood still has lost its turn. */
const LATEST_MS = 2_000
/** Before the lock ends, the answer of the provider is in Redis or given up. */
const SPARE_MS = 1_500
const RETRY_MS = 200

export interface RefreshGrantParts {
  readonly endpoint: Pick<TokenEndpoint, 'refresh'>
  readonly entries: FleetEntries
  readonly book: SuccessorBook
  readonly refreshTokens: RefreshTokenBook
  readonly judge: Judge
  /** Longer than the provider has for its answer, by several seconds. */
  readonly lockMs: number
  readonly monotonic: Clock
}

export function createRefreshGrant(parts: RefreshGrantParts): Obtain {
  const { endpoint, entries, book, refreshTokens, judge, lockMs, monotonic } = parts

  return async (due) => {
    const { token, text } = due
    const names = [book.nameOf(text), refreshTokens.nameOf(text)]
    const [known, held] = await entries.read(names).catch(refuseWithout)
    const before = book.open(known, text)
    if (before !== undefined) return readStored(before, due, judge)
    if (held === undefined) return { result: 'not_held', isFresh: false }
    open(held, text)

    const startedMs = monotonic()
    const lock = entries.nameOf('exchange', tokenName(text))
    const { isMine, texts } = await entries.claim(lock, lockMs, names).catch(refuseWithout)
    const stored = book.open(texts[0], text) ?? (isMine ? undefined : await waitForStored(due, entries, book))
    if (stored !== undefined) return readStored(stored, due, judge)
    const [, mine] = texts
    if (!isMine || mine === undefined || monotonic() - startedMs > LATEST_MS) return ELSEWHERE

    const answer = await ask(open(mine, text), due)
    const untilMs = startedMs + lockMs - SPARE_MS
    const result = await judge(answer.token, token, text).catch(async (error: unknown) => {
      // The refresh token before is used up: the next try needs the new one.
      await keep([refreshTokens.entry(text, token.refusedFromSeconds, answer.refreshToken)], untilMs)
      throw error
    })
    await keep(changesFor(result, answer, due), untilMs)
    return { result, isFresh: true }
  }

  function open(sealed: string, text: string): string {
    const refreshToken = refreshTokens.open(sealed, text)
    if (refreshToken !== undefined) return refreshToken
    throw new StoreError('no key in "refresh.exchange.storeKeyFile" opens the refresh token that Redis holds')
  }

  async function ask(refreshToken: string, due: Due): Promise<Refreshed> {
    try {
      return await endpoint.refresh(refreshToken, scopeOf(due.token.claims))
    } catch (error) {
      if (isSessionOver(error)) await entries.change(endOf(due)).catch(() => {})
      throw error
    }
  }

  /** No more tries on any gate. */
  function endOf(due: Due): readonly EntryChange[] {
    return [book.entry(due, { state: 'over' }), { name: refreshTokens.nameOf(due.text), text: undefined }]
  }

  function changesFor(
    result: IssuedToken | SessionOver,
    { refreshToken }: Refreshed,
    due: Due,
  ): readonly EntryChange[] {
    if (result.state === 'over') return endOf(due)
    return [
      refreshTokens.entry(result.text, result.refusedFromSeconds, refreshToken),
      book.entry(due, result),
      { name: refreshTokens.nameOf(due.text), text: undefined },
    ]
  }

  /** The refresh token exists nowhere else: it is worth several tries, as long as nobody else may have the lock. */
  async function keep(changes: readonly EntryChange[], untilMs: number): Promise<void> {
    for (;;) {
      try {
        return await entries.change(changes)
      } catch {
        if (monotonic() + RETRY_MS > untilMs)
          throw new StoreError('Redis does not take the new refresh token, so that the session cannot go on')
        await sleep(RETRY_MS)
      }
    }
  }
}

function readStored(stored: Stored, due: Due, judge: Judge): ReturnType<Obtain> {
  // Another try would use the refresh token twice.
  if (stored.state === 'unreadable') throw new StoreError('the next token that Redis holds cannot be opened')
  return judgeStored(stored, due, judge)
}

function refuseWithout(): never {
  throw new StoreError('Redis does not answer, and without it a refresh token could be used twice')
}
