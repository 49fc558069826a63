// Gets the next token with the refresh token that is held for it (RFC 6749 section 6). A provider that sees one refresh token
// twice ends the session. So this never asks without the lock, Redis knows that the provider is being asked before it is, and
// what it answers is in Redis before anything else is done with it.

import { setTimeout as sleep } from 'node:timers/promises'
import type { Clock } from '../../model/clock.ts'
import { isKeepable, MAXIMUM_REFRESH_TOKEN_BYTES } from '../../model/refresh-token.ts'
import type { EntryChange, FleetEntries } from '../../redis/entries.ts'
import { ExchangeError } from './exchange-error.ts'
import { type AskedWith, type RefreshTokenBook, type Stored, StoreError, type SuccessorBook } from './exchange-lock.ts'
import type { IssuedToken, Judge, SessionOver } from './judgement.ts'
import {
  type Due,
  ELSEWHERE,
  isSessionOver,
  judgeStored,
  lockLonger,
  lockOf,
  type Obtain,
  type Obtained,
  scopeOf,
  waitForStored,
} from './obtain.ts'
import type { Refreshed, TokenEndpoint } from './token-endpoint.ts'

/** How much of the lock may be gone when the provider is asked: a process that stood still has lost its turn. */
const LATEST_MS = 2_000
/** Before the lock ends, the answer of the provider is in Redis or given up. */
const SPARE_MS = 1_500
const RETRY_MS = 200
const IN_DOUBT: Obtained = { result: 'in_doubt', isFresh: false }
/** Asked once and once more: a provider's grace for reuse is not for a third time. */
const MOST_TIMES = 2

export interface RefreshGrantParts {
  readonly endpoint: Pick<TokenEndpoint, 'refresh'>
  readonly entries: FleetEntries
  readonly book: SuccessorBook
  readonly refreshTokens: RefreshTokenBook
  readonly judge: Judge
  /** The provider has the time of the lock for its answer, less what it takes to write that down. */
  readonly lockMs: number
  /** `retry`: a refresh token that may be used up is used once more, after the lock has ended. */
  readonly whenInDoubt: 'stop' | 'retry'
  readonly monotonic: Clock
  /** Told what the operator should know although there is a next token, or may be. */
  readonly report: (issuer: string, problem: string) => void
}

/** The turn of the gate that has the lock: what it asks with, and until when it may write. */
interface Turn {
  readonly due: Due
  readonly asked: AskedWith
  readonly untilMs: number
}

export function createRefreshGrant(parts: RefreshGrantParts): Obtain {
  const { endpoint, entries, book, refreshTokens, judge, lockMs, whenInDoubt, monotonic, report } = parts

  return async (due) => {
    const { text } = due
    const names = [book.nameOf(text), refreshTokens.nameOf(text), refreshTokens.askedNameOf(text)]
    const lock = lockOf(entries, text)
    const [known, held, asked, locked] = await entries.read([...names, lock]).catch(refuseWithout)
    const before = book.open(known, text)
    if (before !== undefined) return readStored(before, due, judge)
    if (held === undefined && asked === undefined) return { result: 'not_held', isFresh: false }
    // Also judges whether a key opens it, before anything is locked.
    if (nextTry(held, asked, text) === undefined && locked === undefined) return IN_DOUBT

    const startedMs = monotonic()
    const { isMine, texts } = await entries.claim(lock, lockMs, names).catch(refuseWithout)
    const stored = book.open(texts[0], text) ?? (isMine ? undefined : await waitForStored(due, entries, book))
    if (stored !== undefined) return readStored(stored, due, judge)
    const attempt = isMine ? nextTry(texts[1], texts[2], text) : undefined
    if (attempt === undefined || monotonic() - startedMs > LATEST_MS) return ELSEWHERE
    return takeTurn({ due, asked: attempt, untilMs: startedMs + lockMs - SPARE_MS }, startedMs + LATEST_MS)
  }

  /** What the provider may be asked with, or nothing where it may be used up. */
  function nextTry(held: string | undefined, asked: string | undefined, text: string): AskedWith | undefined {
    if (held !== undefined) return { refreshToken: refreshTokens.open(held, text), times: 1 }
    if (asked === undefined) return undefined
    const { refreshToken, times } = refreshTokens.openAsked(asked, text)
    return whenInDoubt === 'retry' && times < MOST_TIMES ? { refreshToken, times: times + 1 } : undefined
  }

  async function takeTurn(turn: Turn, latestMs: number): Promise<Obtained> {
    const { due, asked, untilMs } = turn
    await begin(turn)
    if (monotonic() > latestMs) {
      await takeBack(turn)
      return ELSEWHERE
    }
    if (asked.times > 1)
      report(due.token.issuer, 'Asks once more with a refresh token that may be used up: "whenInDoubt" says so')
    const answer = await ask(turn)
    await keep(afterAnswer(due, answer), untilMs)
    if (answer.token === undefined) throw new ExchangeError('token', 'the answer holds no access token')
    const result = await judge(answer.token, due.token, due.text)
    await keep(changesFor(result, answer, due), untilMs)
    return { result, isFresh: true }
  }

  /** Where this gate dies from here on, the others know that the refresh token may be used up. */
  async function begin(turn: Turn): Promise<void> {
    const { due, asked } = turn
    const { text, token } = due
    const changes = [
      refreshTokens.askedEntry(text, token.refusedFromSeconds, asked),
      goneFor(refreshTokens.nameOf(text)),
    ]
    try {
      await entries.change(changes)
    } catch {
      // Written or not, who can tell; and nobody was asked.
      await takeBack(turn, [goneFor(lockOf(entries, text))])
      refuseWithout()
    }
  }

  /** Puts everything back as it was: the provider has not used the refresh token. */
  function takeBack({ due: { text, token }, asked, untilMs }: Turn, more: readonly EntryChange[] = []): Promise<void> {
    const { refreshToken, times } = asked
    const changes =
      times === 1
        ? [refreshTokens.entry(text, token.refusedFromSeconds, refreshToken), goneFor(refreshTokens.askedNameOf(text))]
        : [refreshTokens.askedEntry(text, token.refusedFromSeconds, { refreshToken, times: times - 1 })]
    return keep([...changes, ...more], untilMs)
  }

  async function ask(turn: Turn): Promise<Refreshed> {
    const { due, asked, untilMs } = turn
    try {
      const deadlineMs = Math.max(1, untilMs - monotonic())
      return await endpoint.refresh(asked.refreshToken, scopeOf(due.token.claims), deadlineMs)
    } catch (error) {
      if (isSessionOver(error)) await entries.change(endOf(due)).catch(() => {})
      else if (!(error instanceof ExchangeError && error.isInDoubt)) await takeBack(turn).catch(() => {})
      lockLonger(error, due, entries, lockMs)
      throw error
    }
  }

  /** The refresh token before is used up, whatever comes of the answer: the next try needs the new one. */
  function afterAnswer({ text, token }: Due, { refreshToken }: Refreshed): readonly EntryChange[] {
    const isOver = goneFor(refreshTokens.askedNameOf(text))
    if (isKeepable(refreshToken)) return [refreshTokens.entry(text, token.refusedFromSeconds, refreshToken), isOver]
    const bytes = Buffer.byteLength(refreshToken)
    const reason = `it has ${bytes} bytes, more than ${MAXIMUM_REFRESH_TOKEN_BYTES}`
    report(token.issuer, `Cannot keep the refresh token that the provider rotated: ${reason}`)
    return [isOver]
  }

  /** No more tries on any gate. */
  function endOf(due: Due): readonly EntryChange[] {
    return [
      book.entry(due, { state: 'over' }),
      ...[refreshTokens.nameOf, refreshTokens.askedNameOf].map((nameOf) => goneFor(nameOf(due.text))),
    ]
  }

  function changesFor(
    result: IssuedToken | SessionOver,
    { refreshToken }: Refreshed,
    due: Due,
  ): readonly EntryChange[] {
    if (result.state === 'over') return endOf(due)
    const kept = isKeepable(refreshToken)
      ? [refreshTokens.entry(result.text, result.refusedFromSeconds, refreshToken)]
      : []
    return [...kept, book.entry(due, result), goneFor(refreshTokens.nameOf(due.text))]
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

function goneFor(name: string): EntryChange {
  return { name, text: undefined }
}

function readStored(stored: Stored, due: Due, judge: Judge): ReturnType<Obtain> {
  // Another try would use the refresh token twice.
  if (stored.state === 'unreadable') throw new StoreError('the next token that Redis holds cannot be opened')
  return judgeStored(stored, due, judge)
}

function refuseWithout(): never {
  throw new StoreError('Redis does not answer, and without it a refresh token could be used twice')
}
