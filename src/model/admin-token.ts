// Can this admin token be used? One that can be guessed, or that no request can carry, opens nothing. Names no byte of it.

export const SHORTEST_TOKEN = 32

/** Why a token opens nothing; undefined where it can be used. */
export function whyUnusable(token: string): string | undefined {
  if (token.length < SHORTEST_TOKEN)
    return `it has ${token.length} characters, and needs at least ${SHORTEST_TOKEN}: write one with "openssl rand -hex 32"`
  return /^[\x21-\x7e]+$/.test(token) ? undefined : 'it has characters that no "Authorization: Bearer" can carry'
}
