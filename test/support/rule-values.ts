// Values of rules as they come, and as somebody would choose them to be mistaken for each other.
import fc from 'fast-check'

const uuid = '0123abcd-4567-4789-8abc-def012345678'
const longest = 'x'.repeat(1024)

const odd = [
  uuid,
  uuid.toUpperCase(),
  uuid.replaceAll('-', ''),
  uuid.replaceAll('-', '').toUpperCase(),
  uuid.replaceAll('-', '_'),
  `${uuid} `,
  `${uuid.slice(0, -1)}G`,
  uuid.replace('a', 'а'),
  'alice',
  'alic',
  'alice@example.com',
  'auth0|0123456789abcdef01234567',
  'Zoë',
  'Zoe\u0308',
  'Ζωή',
  '\u{1F511}',
  '\ud83d',
  'a\u0000',
  'a',
  'aa',
  'aaa',
  'aaaa',
  'a\u0100',
  '__proto__',
  'constructor',
  longest,
  `${longest.slice(0, -1)}y`,
  `${'x'.repeat(1020)}\u{1F511}`,
  'ß'.repeat(512),
  '語'.repeat(341),
]

/** Values of every form and length, with many that are nearly the same. */
export const values: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...odd) },
  { weight: 2, arbitrary: fc.uuid() },
  { weight: 1, arbitrary: fc.string({ minLength: 1, maxLength: 40 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 40 }) },
)
