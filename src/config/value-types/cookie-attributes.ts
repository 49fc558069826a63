// What may be an attribute of the cookie that carries the next token? Whatever else a setting held would make the head of every
// such answer one that cannot be written.
import { domainToASCII } from 'node:url'
import { textKind, unexpected } from './value-types.ts'

const ATTRIBUTE_VALUE = /^(?=.*[!-~])[ -:<-~]{1,256}$/

/** What may be the value of an attribute of a cookie (RFC 6265 section 4.1.1). No header could carry anything else. */
export function attributeValue(example: string) {
  const expects = `${example}, of printable ASCII characters without ";"`
  return textKind<string>({
    kind: 'text',
    expects,
    pattern: ATTRIBUTE_VALUE.source,
    parse: (input, reject) => (ATTRIBUTE_VALUE.test(input) ? input : reject(unexpected(expects, input))),
  })
}

const LABEL = '[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?'
const DOMAIN = new RegExp(`^\\.?${LABEL}(\\.${LABEL})*$`)
const LONGEST_DOMAIN = 254

/** The name of a host and all below it. Browsers take no notice of a dot before it (RFC 6265 section 5.2.3). */
export function domain(expects: string) {
  return textKind<string>({
    kind: 'text',
    expects,
    pattern: DOMAIN.source,
    parse(input, reject) {
      if (input.length <= LONGEST_DOMAIN && DOMAIN.test(input)) return input
      const ascii = domainToASCII(input)
      return reject(unexpected(expects, input), DOMAIN.test(ascii) ? `did you mean "${ascii}"` : undefined)
    },
  })
}
