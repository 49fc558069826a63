// How is a value written in DER (X.690)? Writing only, and only the few forms that a certificate of ours needs: nothing that
// comes from outside is ever read by this. A library for it would bring a dozen packages into the image.

/** An element: its tag, its length and its content. */
function element(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const digits = Buffer.from(length.toString(16).padStart(length > 0xffff ? 6 : length > 0xff ? 4 : 2, '0'), 'hex')
  return Buffer.concat([Buffer.from([tag, 0x80 + digits.length]), digits, content])
}

export const sequence = (...items: readonly Buffer[]): Buffer => element(0x30, Buffer.concat(items))
export const set = (...items: readonly Buffer[]): Buffer => element(0x31, Buffer.concat(items))
export const octets = (content: Buffer): Buffer => element(0x04, content)
export const utf8 = (text: string): Buffer => element(0x0c, Buffer.from(text))
export const yes = (): Buffer => element(0x01, Buffer.from([0xff]))
/** `[number]` around an element. */
export const explicit = (number: number, item: Buffer): Buffer => element(0xa0 + number, item)
/** `[number]` in place of the tag of a simple element. */
export const implicit = (number: number, content: Buffer): Buffer => element(0x80 + number, content)

/** Bits from the first; the last `unused` ones are padding. */
export function bits(content: Buffer, unused = 0): Buffer {
  return element(0x03, Buffer.concat([Buffer.from([unused]), content]))
}

/** A number that is not negative, of any size. */
export function integer(digits: Buffer): Buffer {
  const first = digits.findIndex((byte) => byte !== 0)
  const shortest = first === -1 ? Buffer.from([0]) : digits.subarray(first)
  const isNegative = (shortest[0] ?? 0) >= 0x80
  return element(0x02, isNegative ? Buffer.concat([Buffer.from([0]), shortest]) : shortest)
}

/** An object identifier such as "2.5.4.3". */
export function identifier(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return element(0x06, Buffer.from([first * 40 + second, ...rest.flatMap(base128)]))
}

function base128(arc: number): readonly number[] {
  const digits = [arc % 128]
  for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 + (left % 128))
  return digits
}

/** A time to the second: two digits for the year before 2050, four from then on (RFC 5280 section 4.1.2.5). */
export function time(ms: number): Buffer {
  const date = new Date(ms)
  const text = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`
  return date.getUTCFullYear() < 2050 ? element(0x17, Buffer.from(text.slice(2))) : element(0x18, Buffer.from(text))
}
