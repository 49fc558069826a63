// How other servers read a path: each decodes, splits and normalises in an order of its own. What the gate admits as one
// path has to be the same place for all of them.
import { posix } from 'node:path'

type PathReader = (raw: string) => string

/** Percent-decoding as lenient servers do it: broken sequences stay, overlong UTF-8 is taken. */
function decode(raw: string): string {
  const bytes: number[] = []
  for (let at = 0; at < raw.length; at++) {
    const hex = raw[at] === '%' ? /^[0-9a-f]{2}/i.exec(raw.slice(at + 1, at + 3))?.[0] : undefined
    if (hex === undefined) bytes.push(raw.charCodeAt(at) & 0xff)
    else {
      bytes.push(Number.parseInt(hex, 16))
      at += 2
    }
  }
  const text = Buffer.from(bytes).toString('latin1')
  return text
    .replaceAll(/[\xc0\xc1][\x80-\xbf]/g, (pair) =>
      String.fromCharCode(((pair.charCodeAt(0) & 1) << 6) | (pair.charCodeAt(1) & 0x3f)),
    )
    .replaceAll(/\xe0\x80[\x80-\xbf]/g, (triple) => String.fromCharCode(triple.charCodeAt(2) & 0x3f))
}

const withoutDots = (path: string): string => posix.normalize(`/${path}`)
const withoutParameters = (path: string): string => path.replaceAll(/;[^/]*/g, '')
const untilNul = (path: string): string => path.split('\0')[0] ?? ''
const untilLineEnd = (path: string): string => path.split(/[\r\n]/)[0] ?? ''

/** Name of the way of reading to the reader. Each answers the path that it serves. */
export const pathReaders: Readonly<Record<string, PathReader>> = {
  'as it stands': (raw) => raw,
  'decoded, then without dots (nginx, node)': (raw) => withoutDots(decode(raw)),
  'without dots, then decoded': (raw) => decode(withoutDots(raw)),
  'as a WHATWG URL': (raw) => decode(new URL(raw, 'http://app.example').pathname),
  'decoded twice': (raw) => withoutDots(decode(decode(raw))),
  'decoded three times': (raw) => withoutDots(decode(decode(decode(raw)))),
  'without parameters, then decoded (Tomcat)': (raw) => withoutDots(decode(withoutParameters(raw))),
  'decoded, then without parameters': (raw) => withoutDots(withoutParameters(decode(raw))),
  'with backslashes as slashes (IIS)': (raw) => withoutDots(decode(raw).replaceAll('\\', '/')),
  'up to a NUL (C)': (raw) => withoutDots(untilNul(decode(raw))),
  'up to a line end': (raw) => withoutDots(untilLineEnd(decode(raw))),
  'without control characters': (raw) => withoutDots([...decode(raw)].filter((c) => c >= ' ' && c !== '\x7f').join('')),
}
