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

/** What tabs tell each other: a session began, went on or ended. */
interface Shared {
  readonly began?: string
  readonly next?: string
  readonly ended?: string | null
  readonly reason?: string
}

const REFUSAL = 'urn:sidegate:refusal:'

/**
 * Answers a `fetch` that sends the held token as `Authorization: Bearer`, and takes over the next one from any response.
 *
 * A request that brings its own `Authorization`, or goes to another origin, is passed on as it is. A request that is
 * refused with 401 although a newer token is held by then is sent once more, unless its body can be read only once.
 */
export function withRefresh(
  fetch: typeof globalThis.fetch,
  storage: TokenStorage,
  options: RefreshOptions = {},
): RefreshingFetch {
  const { location } = globalThis as { location?: { origin: string } }
  const { key = 'sidegate.token', header = 'x-refreshed-token', onSessionEnd } = options
  const origins = options.origins?.map((origin) => new URL(origin).origin) ?? [location?.origin]
  const isOurs = (url: string) => origins.includes(new URL(url).origin)
  // In Node all of the process would hear it, also what serves somebody else.
  const channel = openChannel(options.channel ?? (location && key))
  const held = () => storage.getItem(key)
  let isInSession = held() !== null

  const begin = (token: string): void => {
    storage.setItem(key, token)
    isInSession = true
  }
  const take = (next: string | null): boolean => {
    const current = held()
    if (next === null || current === null || !follows(next, current)) return false
    try {
      begin(next)
      return true
    } catch {
      // A storage that is full fails no request: the next response brings the token again.
      return false
    }
  }
  const end = (ended: string | null, reason: string): void => {
    const current = held()
    if (current !== null && current !== ended) return
    storage.removeItem(key)
    if (!isInSession) return
    isInSession = false
    onSessionEnd?.(reason)
  }
  const endEverywhere = (ended: string | null, reason: string): void => {
    channel?.postMessage({ ended, reason } satisfies Shared)
    end(ended, reason)
  }

  if (channel !== undefined)
    channel.onmessage = ({ data }: { readonly data: Shared }) => {
      const { began, next, ended = null, reason } = data
      if (began !== undefined) begin(began)
      else if (next !== undefined) take(next)
      else if (reason !== undefined) end(ended, reason)
    }

  /** One try: answers the response, and why the token was not accepted, where it was not. */
  const send = async (sent: string, input: string | URL | Request, url: string, init: RequestInit | undefined) => {
    const headers = headersOf(input, init)
    headers.set('authorization', `Bearer ${sent}`)
    const response = await fetch(input, { ...init, headers })
    // A redirect may have led to somebody else, who has no say in this session.
    const next = isOurs(response.url || url) ? response.headers.get(header) : null
    if (next !== null && take(next)) channel?.postMessage({ next } satisfies Shared)
    return { response, reason: await refusalOf(response) }
  }

  const refreshingFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    // As fetch itself reads it: relative to the base of the page, which need not be its own origin.
    const { url } = isRequest(input) ? input : new Request(input)
    const sent = held()
    if (sent === null || !isOurs(url) || headersOf(input, init).has('authorization')) return fetch(input, init)
    isInSession = true
    const first = await send(sent, input, url, init)
    if (first.reason === undefined) return first.response
    const newer = held()
    if (newer === sent) endEverywhere(sent, first.reason)
    if (newer === null || !follows(newer, sent) || isReadOnce(input, init)) return first.response

    const second = await send(newer, input, url, init)
    if (second.reason !== undefined && held() === newer) endEverywhere(newer, second.reason)
    return second.response
  }

  return Object.assign(refreshingFetch as typeof globalThis.fetch, {
    token: held,
    setToken: (token: string) => {
      begin(token)
      channel?.postMessage({ began: token } satisfies Shared)
    },
    signOut: () => endEverywhere(held(), 'signed_out'),
  })
}

/** Whether a token is a later one of the same session: responses come out of order, and people sign out and in. */
function follows(next: string, current: string): boolean {
  const [after, before] = [claimsOf(next), claimsOf(current)]
  const isSameSession = after.sid === undefined || before.sid === undefined || after.sid === before.sid
  return isSameSession && after.sub === before.sub && Number(after.exp) > Number(before.exp)
}

/** What a token says, unverified: to verify it is the gate's part. */
function claimsOf(token: string): { readonly sub?: unknown; readonly sid?: unknown; readonly exp?: unknown } {
  try {
    const payload = token.split('.')[1] ?? ''
    return Object(JSON.parse(atob(payload.replace(/-/g, '+').replace(/_/g, '/'))))
  } catch {
    return {}
  }
}

/** Why the gate did not accept the token; undefined for every other answer, also for a 401 of the app's own. */
async function refusalOf(response: Response): Promise<string | undefined> {
  if (response.status !== 401) return undefined
  const { headers } = response
  if (!/error="?invalid_token/.test(headers.get('www-authenticate') ?? '')) return undefined
  if (headers.get('content-type') !== 'application/problem+json') return 'invalid_token'
  const problem = await response
    .clone()
    .json()
    .catch(() => undefined)
  const type = String(Object(problem).type)
  return type.startsWith(REFUSAL) ? type.slice(REFUSAL.length) : 'invalid_token'
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
  const channel = new BroadcastChannel(name)
  // In Node an open channel keeps the process from ending.
  const { unref } = channel as { unref?: () => void }
  unref?.call(channel)
  return channel
}
