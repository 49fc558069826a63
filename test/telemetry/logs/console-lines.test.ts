import { expect, test } from 'vitest'
import { logConsole } from '../../../src/telemetry/logs/console-lines.ts'
import { createLog } from '../../../src/telemetry/logs/log.ts'

test('what a library writes to the console is one line of the log, until it is put back', () => {
  const lines: Record<string, unknown>[] = []
  const written: unknown[] = []
  const target = {
    warn: (word: unknown) => written.push(word),
    error: (word: unknown) => written.push(word),
    log: (word: unknown) => written.push(word),
    info: (word: unknown) => written.push(word),
  }
  const to = { write: (line: string) => lines.push(JSON.parse(line)) }
  const restore = logConsole(target as never, createLog({ level: 'info', format: 'json' }, { isTerminal: false, to }))
  ;(target.warn as typeof console.warn)('[WARN] %s does not\nrequire a password', 'default')
  target.error('broken')
  expect(lines).toMatchObject([
    { level: 'warn', msg: 'A library reports', detail: '[WARN] default does not require a password' },
    { level: 'error', detail: 'broken' },
  ])
  restore()
  target.warn('again')
  expect([lines.length, written]).toEqual([2, ['again']])
})
