// What others wrote and a command prints: no character of it turns a line round, hides a part of it or moves the cursor.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { withVisibleText } from '../../src/commands/shell.ts'
import { createLog } from '../../src/telemetry/logs/log.ts'
import { createWorld, type World } from '../support/gateway.ts'
import { createTestShell, sidegate } from '../support/shell.ts'

const EVIL = 'ann\u202eimda\u2066\u200b\u009b31m\u001b[2J'
const SPELLED = 'ann\\u202eimda\\u2066\\u200b\\u009b31m\\u001b[2J'
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be printed
const ACTED_ON = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/

let world: World
let folder: string
beforeAll(() => {
  world = createWorld()
  folder = mkdtempSync(join(tmpdir(), 'sidegate-visible-'))
  writeFileSync(join(folder, 'sidegate.yaml'), world.settings(new URL('http://127.0.0.1:1')))
})
afterAll(() => {
  world.remove()
  rmSync(folder, { recursive: true, force: true })
})

// holds: terminal-characters
test('token inspect spells out what is in the claims and in the header', async () => {
  const token = world.mint({ sub: EVIL, [`k${EVIL}`]: [EVIL] }, { note: EVIL })
  const { text, exitCode } = await sidegate(['token', 'inspect', token])
  expect(exitCode).toBe(0)
  expect(text).not.toMatch(ACTED_ON)
  expect(text).toContain(`"sub": "${SPELLED}"`)
})

test('token inspect --json keeps the value and prints it spelled out', async () => {
  const { text } = await sidegate(['token', 'inspect', '--json', world.mint({ sub: EVIL })])
  expect(text).not.toMatch(ACTED_ON)
  expect(JSON.parse(text).claims.sub).toBe(EVIL)
})

test('explain spells out what the token says', async () => {
  const given = ['explain', '--config', join(folder, 'sidegate.yaml'), world.mint({ sub: EVIL, jti: `j${EVIL}` })]
  const { text } = await sidegate(given)
  expect(text).not.toMatch(ACTED_ON)
  expect(text).toContain('\\u202e')
})

test('a settings file is quoted spelled out', async () => {
  const path = join(folder, 'evil.yaml')
  writeFileSync(path, `mode: "${EVIL.replace('\u001b', '')}"\n"${'x\u202ey'}": 1\n`)
  const { text } = await sidegate(['check', '--config', path])
  expect(text).not.toMatch(ACTED_ON)
})

test('a document is printed as it stands, a line is not', () => {
  const { shell, printed } = createTestShell()
  const safe = withVisibleText(shell)
  safe.printDocument?.('family: "👨\u200d👩"')
  safe.print('a\u200db')
  expect(printed).toEqual(['family: "👨\u200d👩"', 'a\\u200db'])
})

test('a readable log spells it out as well', () => {
  const lines: string[] = []
  const to = { write: (line: string) => void lines.push(line) }
  createLog({ level: 'info', format: 'pretty' }, { isTerminal: false, to }).info({ subject: EVIL }, `Hello ${EVIL}`)
  expect(lines.join('')).not.toMatch(/[\u202e\u2066\u200b\u009b]/)
  expect(lines.join('')).toContain('\\u202e')
})
