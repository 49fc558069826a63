// What does a `Forwarded` header say (RFC 7239 section 4)? It answers nothing rather than a guess where the header is malformed.

/** One proxy's word on the request that it took. */
export interface ForwardedElement {
  /** Who sent it: the parameter `for`. */
  readonly node?: string
  readonly host?: string
  readonly proto?: string
}

/** One parameter, or none, and what separates it from the next. A host or address with `:` is often left without its quotes. */
const PARAMETER = /[ \t]*(?:([!#$%&'*+.^_`|~\w-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s",;="]+))[ \t]*)?([,;]|$)/y
const names: Readonly<Record<string, keyof ForwardedElement>> = { for: 'node', host: 'host', proto: 'proto' }

/** The elements in their order, the client's proxy first; undefined where it cannot be read, or says a thing twice. */
export function readForwarded(text: string): readonly ForwardedElement[] | undefined {
  const elements: ForwardedElement[] = []
  let element: Record<string, string> = {}
  PARAMETER.lastIndex = 0
  for (;;) {
    const match = PARAMETER.exec(text)
    if (match === null) return undefined
    const [, rawName, quoted, plain, separator] = match
    if (rawName !== undefined) {
      const lower = rawName.toLowerCase()
      const name = (Object.hasOwn(names, lower) ? names[lower] : undefined) ?? `other ${lower}`
      if (Object.hasOwn(element, name)) return undefined
      element[name] = plain ?? (quoted ?? '').replace(/\\(.)/g, '$1')
    }
    if (separator === ';') continue
    if (Object.keys(element).length > 0) elements.push(element)
    element = {}
    if (separator === '') return elements
  }
}
