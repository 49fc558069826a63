// What do the gates of a fleet leave for each other about one token? The names and the contents of the entries in Redis, each
// named by a digest of the token and sealed.
import { hash } from 'node:crypto'
import type { Clock } from '../../model/clock.ts'
import type { VerifiedToken } from '../../model/decision.ts'
import type { EntryChange, FleetEntries } from '../../redis/entries.ts'
import { isTooLong, keyOfGate, keyOfHolder, seal, unseal } from './sealing.ts'

/** A token, as verified and as it came. */
export interface Presented {
  readonly token: VerifiedToken
  readonly text: string
}

/** What became of a token at the gate that exchanged it, as that gate says. */
export type Stored =
  | { readonly state: 'issued'; readonly text: string }
  | { readonly state: 'over' }
  | { readonly state: 'unreadable' }

/** Why Redis does not help to the next token, for the operator. */
export class StoreError extends Error {
  override name = 'StoreError' as const

  constructor(reason: string) {
    super(`Cannot exchange a token: ${reason}`)
  }
}

/** Names a token by what is signed of it: a signature can be spelled in several ways. */
export function tokenName(text: string): string {
  return hash('sha256', text.slice(0, text.lastIndexOf('.')), 'base64url')
}

/** Reads and writes successors. Only who holds the token that they succeed can open them. */
export interface SuccessorBook {
  nameOf(text: string): string
  /** What the entry says; nothing where there is none. */
  open(sealed: string | undefined, text: string): Stored | undefined
  /** The entry for a token, until that token ends. */
  entry(presented: Presented, outcome: Exclude<Stored, { state: 'unreadable' }>): EntryChange
}

export function createSuccessorBook(entries: Pick<FleetEntries, 'nameOf'>, clock: Clock): SuccessorBook {
  const nameOf = (text: string) => entries.nameOf('successor', tokenName(text))
  return {
    nameOf,
    open: (sealed, text) => {
      if (sealed === undefined) return undefined
      const content = unseal(sealed, keyOfHolder(text), nameOf(text))
      if (content === undefined) return { state: 'unreadable' }
      return content === '' ? { state: 'over' } : { state: 'issued', text: content }
    },
    entry: ({ token, text }, outcome) => {
      const name = nameOf(text)
      const content = outcome.state === 'issued' ? outcome.text : ''
      const lifetimeMs = lifetimeOf(token.refusedFromSeconds, clock)
      return { name, text: seal(content, keyOfHolder(text), name), lifetimeMs }
    },
  }
}

/** A refresh token that is at the provider, or was when its gate died: nobody knows whether it is used up. */
export interface AskedWith {
  readonly refreshToken: string
  /** How often the provider was asked with it so that no answer came. */
  readonly times: number
}

/** Reads and writes the refresh tokens that belong to access tokens. */
export interface RefreshTokenBook {
  nameOf(text: string): string
  /** The refresh token. Throws `StoreError` where nothing opens the entry. */
  open(sealed: string, text: string): string
  /** The entry for an access token, until that one ends. */
  entry(text: string, refusedFromSeconds: number, refreshToken: string): EntryChange
  /** The name of the entry that says that the provider is being asked. */
  askedNameOf(text: string): string
  openAsked(sealed: string, text: string): AskedWith
  askedEntry(text: string, refusedFromSeconds: number, asked: AskedWith): EntryChange
}

/** `fileKeys`: the first seals, all open. */
export function createRefreshTokenBook(
  entries: Pick<FleetEntries, 'nameOf'>,
  fileKeys: readonly Uint8Array[],
  clock: Clock,
): RefreshTokenBook {
  const nameOf = (text: string) => entries.nameOf('refresh-token', tokenName(text))
  const askedNameOf = (text: string) => entries.nameOf('refresh-asked', tokenName(text))
  const [sealing] = fileKeys
  if (sealing === undefined) throw new Error('Cannot keep refresh tokens without a key')

  function openAs(name: string, sealed: string, text: string): string {
    if (isTooLong(sealed)) throw new StoreError('the refresh token that Redis holds is longer than any that gates keep')
    for (const fileKey of fileKeys) {
      const content = unseal(sealed, keyOfGate(fileKey, text), name)
      if (content !== undefined) return content
    }
    throw new StoreError('no key in "refresh.exchange.storeKeyFile" opens the refresh token that Redis holds')
  }

  function entryOf(name: string, text: string, refusedFromSeconds: number, content: string): EntryChange {
    const lifetimeMs = lifetimeOf(refusedFromSeconds, clock)
    return { name, text: seal(content, keyOfGate(sealing as Uint8Array, text), name), lifetimeMs }
  }

  return {
    nameOf,
    open: (sealed, text) => openAs(nameOf(text), sealed, text),
    entry: (text, refusedFromSeconds, refreshToken) => entryOf(nameOf(text), text, refusedFromSeconds, refreshToken),
    askedNameOf,
    openAsked: (sealed, text) => {
      const content = openAs(askedNameOf(text), sealed, text)
      const end = content.indexOf(' ')
      return { times: Number(content.slice(0, end)), refreshToken: content.slice(end + 1) }
    },
    askedEntry: (text, refusedFromSeconds, { times, refreshToken }) =>
      entryOf(askedNameOf(text), text, refusedFromSeconds, `${times} ${refreshToken}`),
  }
}

function lifetimeOf(endSeconds: number, clock: Clock): number {
  return Math.max(1, Math.ceil(endSeconds * 1000 - clock()))
}
