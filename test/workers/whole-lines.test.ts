// Lines of several processes stay whole.
import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { eachLine } from '../../src/workers/whole-lines.ts'

it('lines come whole, wherever the stream was cut, between the bytes of one letter too', () => {
  const stream = new PassThrough()
  const lines: string[] = []
  eachLine(stream, (line) => lines.push(line))
  const bytes = Buffer.from('{"a":"é"}\n{"b":"\u2028"}\n\nrest')
  for (const byte of bytes) stream.write(Buffer.of(byte))
  expect(lines).toEqual(['{"a":"é"}\n', '{"b":"\u2028"}\n', '\n'])
})
