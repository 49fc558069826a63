// Is this a CORS preflight of a page that is known? Browsers send no token with it, so it needs none; whatever only looks
// like one must not pass.

/**
 * True for the headers of a preflight from one of the origins. Browsers always send Access-Control-Request-Method and
 * exactly one Origin with it (Fetch standard, CORS-preflight fetch).
 */
export function isPreflight(headers: readonly string[], corsOrigins: readonly string[]): boolean {
  let origins = 0
  let isKnown = false
  let isAsking = false
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === 'origin') {
      origins++
      isKnown = corsOrigins.includes(headers[i + 1] ?? '')
    } else if (headers[i] === 'access-control-request-method') isAsking = true
  }
  return isKnown && isAsking && origins === 1
}
