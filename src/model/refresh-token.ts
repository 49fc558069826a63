// How long may a refresh token be? One bound for all who read or write one: what is taken at one door is kept at every other.

/** The longest refresh token that is kept, in bytes: whether the login app hands it in or the provider rotates it. */
export const MAXIMUM_REFRESH_TOKEN_BYTES = 8 * 1024

/** Whether a refresh token is short enough to be kept. */
export function isKeepable(refreshToken: string): boolean {
  return Buffer.byteLength(refreshToken) <= MAXIMUM_REFRESH_TOKEN_BYTES
}
