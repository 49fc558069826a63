// Through which proxy are other servers asked? The kind of the setting, and of the variables that many programs share. A
// proxy URL often holds a password, so no message quotes it.
import { type Reject, textKind } from './value-types.ts'

const EXPECTS = '"none", "env" or the URL of a proxy such as "http://proxy.example.com:3128"'

/** `none`, `env`, or a URL. */
export function outboundProxy() {
  return textKind<string>({
    kind: 'proxy',
    expects: EXPECTS,
    secret: true,
    parse: (text, reject) => (text === 'none' || text === 'env' ? text : readProxyUrl(text, reject, EXPECTS)),
  })
}

/** The URL of a proxy, with its user and password; undefined after `reject` was told why. */
export function readProxyUrl(text: string, reject: Reject, expects = 'the URL of a proxy'): string | undefined {
  const match = /^(?:([A-Za-z][A-Za-z0-9+.-]*):\/\/)?(?:([^@/\s]*)@)?([^@/\s?#]+)\/?$/.exec(text)
  const [, scheme = 'http', user, host = ''] = match ?? []
  if (match === null)
    return reject(`Expected ${expects}`, 'with "/", "@" and "#" in a password written as %2F, %40 and %23')
  if (!/^https?$/i.test(scheme))
    return reject('Expected a proxy that is spoken to by http or https', 'as in "http://proxy.example.com:3128"')
  const url = URL.parse(`${scheme}://${host}`)
  if (url === null || !/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[1-9][0-9]{0,4})?$/.test(host))
    return reject('Expected a proxy as "host:port"', 'as in "http://proxy.example.com:3128"')
  if (user !== undefined && !isEncoded(user))
    return reject('Expected user and password in percent-encoding', 'with "%" written as %25')
  return `${scheme.toLowerCase()}://${user === undefined ? '' : `${user}@`}${host}`
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text)
    return true
  } catch {
    return false
  }
}
