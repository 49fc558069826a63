// Whole lines of several processes on one output: they share no pipe, where a slow reader would get halves of them mixed.
import type { Readable } from 'node:stream'

/** Hands over each line of the stream, with its end. */
export function eachLine(stream: Readable, take: (line: string) => void): void {
  let rest = ''
  stream.setEncoding('utf8')
  stream.on('data', (text: string) => {
    const lines = `${rest}${text}`.split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(`${line}\n`)
  })
}
