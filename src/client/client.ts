// The caller's half of the refresh, for pages, workers and Node: sends the token, keeps the next one, shares it with other
// tabs, and tells when the session is over. It imports nothing, and sends the token to no origin that it was not made for.

/** Where the token is kept: `localStorage`, `sessionStorage`, or anything else with these three functions. */
export interface TokenStorage {
  getItem(key: string): string | null
  setItem(key: string, value: string): void
  removeItem(key: string): void
}

/** Everything has a default. */
export interface RefreshOptions {
  /** The name under which the token is stored; `sidegate.token` by default. */
  readonly key?: string
  /** The response header that carries the next token: `refresh.header` of the settings; `x-refreshed-token` by default. */
  readonly header?: string
  /** Origins that get the token, such as `https://api.example.com`. By default the page's own; outside pages and workers, none. */
  readonly origins?: readonly string[]
  /** The name of the BroadcastChannel by which tabs share; by default the `key`, and outside pages and workers, none. */
  readonly channel?: string
  /**
   * Called once when the session is over, in every tab. The reason is that of the refusal, such as `token_expired` or
   * `token_revoked`; `invalid_token` where the refusal names none; `signed_out` after `signOut()`.
   */
  readonly onSessionEnd?: (reason: string) => void
}

/** The same as `fetch`, and what there is to do with the token. */
export type RefreshingFetch = typeof globalThis.fetch & {
  /** The token that is held now. */
  token(): string | null
  /** Begins a session, in every tab: with the token that a sign-in gave. */
  setToken(token: string): void
  /** Ends the session, in every tab: the token is forgotten. */
  signOut(): void
}

/** What tabs send each other: a session began, went on or ended. */
interface Shared {
  readonly began?: string
  readonly next?: string
  /** The token that `next` follows. */
  readonly of?: string
  readonly ended?: string | null
  readonly reason?: string
  /** After a sign-out: the last tokens of the session that it ends; none where the tab held no token. */
  readonly tokens?: readonly string[]
}

const REFUSAL = 'urn:sidegate:refusal:'
/** What is read of a refusal: its document is far smaller, and a body may never end. */
const REFUSAL_MS = 1_000
const REFUSAL_LENGTH = 16 * 1024
/** How long a tab waits to be told why the token left the storage. */
const REASON_MS = 200
/** How many tokens of a session a tab remembers, for answers that come late. */
const LINEAGE = 16

/**
 * Answers a `fetch` that sends the held token as `Authorization: Bearer`, and takes over the next one from any response.
 *
 * A request that brings its own `Authorization`, or goes to another origin, is passed on as it is. A request that is
 * refused with 401 although a newer token is held by then is sent once more, unless its body can be read only once.
 *
 * The storage may be given as a function, `() => localStorage`: where a browser forbids it, that throws as soon as it is named.
 */
export function withRefresh(
  fetch: typeof globalThis.fetch,
  storage: TokenStorage | (() => TokenStorage),
  options: RefreshOptions = {},
): RefreshingFetch {
  const { location } = globalThis as { location?: { origin: string } }
  const { key = 'sidegate.token', header = 'x-refreshed-token', onSessionEnd } = options
  const origins = options.origins?.map((origin) => new URL(origin).origin) ?? [location?.origin]
  const isOurs = (url: string) => origins.includes(new URL(url).origin)
  // In Node all of the process would hear it, also what serves somebody else.
  const channel = openChannel(options.channel ?? (location && key))
  const post = (message: Shared) => channel?.postMessage(message)
  const store = openStore(storage, key)

  let last = store.get()
  let isInSession = last !== null
  /** The tokens of this session. A next token counts only for one of these: the session before has no say in this one. */
  let lineage = new Set(last === null ? [] : [last])
  /** Whether the session began before our eyes, so that its tokens are all known. */
  let isWhole = false

  const begin = (token: string, whole: boolean): void => {
    last = token
    lineage = new Set([token])
    isWhole = whole
    isInSession = true
  }
  const over = (reason: string): void => {
    store.set(null)
    last = null
    lineage.clear()
    if (!isInSession) return
    isInSession = false
    try {
      onSessionEnd?.(reason)
    } catch (error) {
      // It must not take the answer along that brought the news.
      const { reportError } = globalThis as { reportError?: (error: unknown) => void }
      // biome-ignore lint/suspicious/noConsole: Node has no reportError
      ;(reportError ?? console.error)(error)
    }
  }
  /** The token that is held, and what its coming or going by other hands means. */
  const look = (): string | null => {
    const token = store.get()
    if (token === null && last !== null) over('signed_out')
    else if (token !== null && token !== last) begin(token, false)
    return token
  }
  const signIn = (token: string): void => {
    store.set(token)
    begin(token, true)
  }
  const take = (next: string, of: string): boolean => {
    const current = look()
    if (current === null || !lineage.has(of) || !follows(next, current)) return false
    store.set(next)
    last = next
    lineage.add(next)
    if (lineage.size > LINEAGE) lineage.delete([...lineage][0] ?? '')
    return true
  }
  const end = (ended: string | null, reason: string): void => {
    const current = store.get()
    if (current === null || current === ended) over(reason)
  }
  const endEverywhere = (ended: string, reason: string): void => {
    post({ ended, reason })
    end(ended, reason)
  }
  /** Whether another tab that held these tokens meant this session when it signed out. */
  const isMeant = (tokens: readonly string[]): boolean => {
    const current = store.get()
    if (current === null || tokens.length === 0 || tokens.some((token) => lineage.has(token))) return true
    return !isWhole && tokens.some((token) => isSameSession(claimsOf(token), claimsOf(current)))
  }

  if (channel !== undefined)
    channel.onmessage = ({ data }: { readonly data: Shared | null }) => {
      const { began, next, of, ended = null, reason, tokens } = data ?? {}
      if (isToken(began)) signIn(began)
      else if (isToken(next)) take(next, of ?? last ?? '')
      else if (reason !== undefined && tokens === undefined) end(ended, reason)
      else if (reason !== undefined && isMeant(tokens ?? [])) over(reason)
    }
  listenToStorage(key, () => {
    store.reread()
    // Another tab says why, where it can.
    if (channel === undefined) look()
    else setTimeout(look, REASON_MS)
  })

  /** One try: answers the response, and why the token was not accepted, where it was not. */
  const send = async (sent: string, input: string | URL | Request, url: string, init: RequestInit | undefined) => {
    const headers = headersOf(input, init)
    headers.set('authorization', `Bearer ${sent}`)
    const response = await fetch(input, { ...init, headers })
    // A redirect may have led to somebody else, who has no say in this session.
    if (!isOurs(response.url || url)) return { response, reason: undefined }
    const next = response.headers.get(header)
    if (isToken(next) && take(next, sent)) post({ next, of: sent })
    return { response, reason: await refusalOf(response) }
  }

  const refreshingFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    // As fetch itself reads it: relative to the base of the page, which need not be its own origin.
    const { url } = isRequest(input) ? input : new Request(input)
    const sent = look()
    if (sent === null || !isOurs(url) || headersOf(input, init).has('authorization')) return fetch(input, init)
    // The browser would leave the token out, and say nothing.
    if ((init?.mode ?? (isRequest(input) ? input.mode : '')) === 'no-cors')
      throw new TypeError('Cannot send a token with "mode: no-cors": browsers take no Authorization header there')
    const first = await send(sent, input, url, init)
    if (first.reason !== undefined && store.get() === sent) endEverywhere(sent, first.reason)
    // The answer may have cleared the storage.
    const newer = look()
    if (first.reason === undefined || newer === null || !follows(newer, sent) || isReadOnce(input, init))
      return first.response

    const second = await send(newer, input, url, init)
    if (second.reason !== undefined && store.get() === newer) endEverywhere(newer, second.reason)
    look()
    return second.response
  }

  return Object.assign(refreshingFetch as typeof globalThis.fetch, {
    token: store.get,
    setToken: (token: string) => {
      if (!isToken(token)) throw new TypeError('Cannot begin a session: expected a JWT, got something else')
      signIn(token)
      post({ began: token })
    },
    signOut: () => {
      post({ ended: look(), reason: 'signed_out', tokens: [...lineage] })
      over('signed_out')
    },
  })
}

/** A compact JWT. Whether it is a good one is the gate's part. */
function isToken(text: unknown): text is string {
  return typeof text === 'string' && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(text)
}

interface Store {
  get(): string | null
  set(token: string | null): void
  /** Forgets what was kept in memory: somebody else wrote to the storage. */
  reread(): void
}

/** The token in the storage; in memory for as long as that throws or keeps nothing, as in a sandbox, or when it is full. */
function openStore(storage: TokenStorage | (() => TokenStorage), key: string): Store {
  let place: TokenStorage | undefined
  let seen: string | null = null
  let memory: string | null | undefined
  try {
    place = typeof storage === 'function' ? storage() : storage
  } catch {
    memory = null
  }
  const read = () => {
    const text = place?.getItem(key)
    return isToken(text) ? text : null
  }
  return {
    get: () => {
      if (memory !== undefined) return memory
      try {
        seen = read()
      } catch {
        memory = seen
      }
      return seen
    },
    set: (token) => {
      seen = token
      memory = token
      try {
        if (token === null) place?.removeItem(key)
        else place?.setItem(key, token)
        if (place !== undefined && read() === token) memory = undefined
      } catch {
        // It stays in memory.
      }
    },
    reread: () => {
      memory = undefined
    },
  }
}

/** Calls back when another tab changed the token, or cleared the storage. */
function listenToStorage(key: string, changed: () => void): void {
  const { addEventListener } = globalThis as {
    addEventListener?: (type: string, listener: (event: { readonly key: string | null }) => void) => void
  }
  addEventListener?.('storage', (event) => {
    if (event.key === key || event.key === null) changed()
  })
}

type Claims = { readonly sub?: unknown; readonly sid?: unknown; readonly exp?: unknown }

/** Whether a token is a later one of the same session: responses come out of order, and people sign out and in. */
function follows(next: string, current: string): boolean {
  const [after, before] = [claimsOf(next), claimsOf(current)]
  return isSameSession(after, before) && Number(after.exp) > Number(before.exp)
}

function isSameSession(one: Claims, other: Claims): boolean {
  return one.sub === other.sub && (one.sid === undefined || other.sid === undefined || one.sid === other.sid)
}

/** What a token says, unverified: to verify it is the gate's part. */
function claimsOf(token: string): Claims {
  try {
    const payload = token.split('.')[1] ?? ''
    return Object(JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))))
  } catch {
    return {}
  }
}

/** Why the gate did not accept the token; undefined for every other answer, also for a 401 of the app's own. */
async function refusalOf(response: Response): Promise<string | undefined> {
  const { status, headers } = response
  if (status !== 401 || !isTokenRefused(headers.get('www-authenticate') ?? '')) return undefined
  try {
    if (!headers.get('content-type')?.startsWith('application/problem+json')) return 'invalid_token'
    const type = String(JSON.parse(await startOf(response.clone())).type)
    return type.startsWith(REFUSAL) ? type.slice(REFUSAL.length) : 'invalid_token'
  } catch {
    return 'invalid_token'
  }
}

/** Whether a challenge of the scheme Bearer says `invalid_token` (RFC 9110 section 11.6.1, RFC 6750 section 3). */
function isTokenRefused(challenges: string): boolean {
  let scheme = ''
  // A name with a value is a parameter of the scheme before it, a name without one is the next scheme.
  for (const [, name = '', quoted, plain] of challenges.matchAll(
    /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*)))?/g,
  )) {
    const value = quoted?.replace(/\\(.)/g, '$1') ?? plain
    if (value === undefined) scheme = name.toLowerCase()
    else if (scheme === 'bearer' && name.toLowerCase() === 'error' && value === 'invalid_token') return true
  }
  return false
}

/** The body as far as it comes in time. */
async function startOf({ body }: Response): Promise<string> {
  const reader = body?.getReader()
  const hangUp = () => void reader?.cancel().catch(() => {})
  const timer = setTimeout(hangUp, REFUSAL_MS)
  const decoder = new TextDecoder()
  let text = ''
  try {
    while (text.length <= REFUSAL_LENGTH) {
      const read = await reader?.read()
      if (read === undefined || read.done) break
      text += decoder.decode(read.value, { stream: true })
    }
    return text
  } finally {
    clearTimeout(timer)
    hangUp()
  }
}

function isRequest(input: string | URL | Request): input is Request {
  return typeof input === 'object' && 'url' in input
}

/** The headers of the call, as fetch takes them: those of `init` replace those of the request. */
function headersOf(input: string | URL | Request, init: RequestInit | undefined): Headers {
  return new Headers(init?.headers ?? (isRequest(input) ? input.headers : undefined))
}

/** Whether the body is gone once it has been sent. */
function isReadOnce(input: string | URL | Request, init: RequestInit | undefined): boolean {
  const body: unknown = init?.body
  const isStream = typeof body === 'object' && body !== null && ('getReader' in body || Symbol.asyncIterator in body)
  return isStream || (isRequest(input) && input.bodyUsed)
}

function openChannel(name: string | undefined): InstanceType<typeof BroadcastChannel> | undefined {
  if (name === undefined || typeof BroadcastChannel === 'undefined') return undefined
  try {
    const channel = new BroadcastChannel(name)
    // In Node an open channel keeps the process from ending.
    const { unref } = channel as { unref?: () => void }
    unref?.call(channel)
    return channel
  } catch {
    // Forbidden, as the storage then is.
    return undefined
  }
}
