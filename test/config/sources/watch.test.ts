import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { type FileWatch, type WatchOptions, watchFiles } from '../../../src/config/sources/watch.ts'

let folder: string
let watching: FileWatch | undefined
let changes: string[][]
let errors: unknown[]

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sidegate-watch-'))
  changes = []
  errors = []
})
afterEach(() => {
  watching?.close()
  rmSync(folder, { recursive: true, force: true })
})

const at = (...names: string[]) => join(folder, ...names)
const never = 3_600_000

/** Waits for a state, long enough for a machine that is busy with other things. */
const until = (state: () => void) => vi.waitFor(state, { timeout: 10_000 })

async function start(
  paths: string[],
  options: Partial<WatchOptions> = {},
  onChange = (changed: readonly string[]): void | Promise<void> => void changes.push([...changed]),
) {
  watching = await watchFiles(paths, onChange, { settleMs: 20, onError: (error) => errors.push(error), ...options })
  return watching
}

/** The layout of a mounted ConfigMap, and the atomic swap of the kubelet. */
function configMap(names: Record<string, string>, version: string): void {
  mkdirSync(at(`..${version}`))
  for (const [name, content] of Object.entries(names)) writeFileSync(at(`..${version}`, name), content)
  symlinkSync(`..${version}`, at('..data_tmp'))
  renameSync(at('..data_tmp'), at('..data'))
}

describe.each([
  ['by fs.watch', { intervalMs: never }],
  ['by polling alone', { intervalMs: 20, settleMs: never }],
])('noticed %s', (_, options) => {
  test('a file that is written again', async () => {
    writeFileSync(at('a'), 'one')
    writeFileSync(at('b'), 'one')
    await start([at('a'), at('b')], options)
    writeFileSync(at('a'), 'two')
    await until(() => expect(changes.at(-1)).toEqual([at('a')]))
    expect(changes.flat()).not.toContain(at('b'))
  })

  test('a ConfigMap whose ..data is swapped', async () => {
    configMap({ 'sidegate.yaml': 'one', key: 'same' }, '2026_1')
    symlinkSync('..data/sidegate.yaml', at('sidegate.yaml'))
    symlinkSync('..data/key', at('key'))
    await start([at('sidegate.yaml'), at('key')], options)
    configMap({ 'sidegate.yaml': 'two', key: 'same' }, '2026_2')
    rmSync(at('..2026_1'), { recursive: true })
    await until(() => expect(changes).toEqual([[at('sidegate.yaml')]]))
    configMap({ 'sidegate.yaml': 'three', key: 'other' }, '2026_3')
    await until(() => expect(changes.slice(1).flat().toSorted()).toEqual([at('key'), at('sidegate.yaml')]))
    // A poll may have been under way at the swap, and past the first of the two already.
    if (options.intervalMs === never) expect(changes).toHaveLength(2)
  })

  test('an editor that renames a new file over the old one, twice', async () => {
    writeFileSync(at('a'), 'one')
    await start([at('a')], options)
    for (const content of ['two', 'three']) {
      const before = changes.length
      writeFileSync(at('a~'), content)
      renameSync(at('a~'), at('a'))
      await until(() => expect(changes.length).toBe(before + 1))
    }
  })

  test('a file that vanishes and comes back', async () => {
    writeFileSync(at('a'), 'one')
    await start([at('a')], options)
    unlinkSync(at('a'))
    await until(() => expect(changes.length).toBe(1))
    writeFileSync(at('a'), 'one')
    await until(() => expect(changes.length).toBeGreaterThan(1))
  })
})

test('a file in a folder that is made later is noticed by polling', async () => {
  await start([at('later', 'a')], { intervalMs: 20 })
  mkdirSync(at('later'))
  writeFileSync(at('later', 'a'), 'one')
  await until(() => expect(changes.at(-1)).toEqual([at('later', 'a')]))
})

test('a folder that is replaced is watched again', async () => {
  mkdirSync(at('f'))
  writeFileSync(at('f', 'a'), 'one')
  await start([at('f', 'a')], { intervalMs: 50 })
  rmSync(at('f'), { recursive: true })
  await until(() => expect(changes.length).toBe(1))
  mkdirSync(at('f'))
  writeFileSync(at('f', 'a'), 'two')
  await until(() => expect(changes.length).toBeGreaterThan(1))
})

test('what leaves the content alone is no change', async () => {
  writeFileSync(at('a'), 'one')
  const { check } = await start([at('a')], { intervalMs: never })
  utimesSync(at('a'), 1, 1)
  writeFileSync(at('a'), 'one')
  writeFileSync(at('neighbour'), 'x')
  await check()
  expect(changes).toEqual([])
})

test('the same size and time do not hide another content', async () => {
  writeFileSync(at('a'), 'one')
  utimesSync(at('a'), 1, 1)
  const { check } = await start([at('a')], { intervalMs: never, settleMs: never })
  writeFileSync(at('a'), 'two')
  utimesSync(at('a'), 1, 1)
  await check()
  expect(changes).toEqual([[at('a')]])
})

test('many writes close together are one change or few', async () => {
  writeFileSync(at('a'), 'x')
  const { check } = await start([at('a')], { intervalMs: never, settleMs: 100 })
  for (let count = 0; count < 50; count++) appendFileSync(at('a'), 'x')
  await until(() => expect(changes.length).toBeGreaterThan(0))
  await check()
  expect(changes.length).toBeLessThan(5)
})

test('calls never overlap, and what happens during one is told by the next', async () => {
  writeFileSync(at('a'), 'one')
  let open = 0
  let most = 0
  let release: (() => void) | undefined
  const { check } = await start([at('a')], { intervalMs: never, settleMs: never }, async (changed) => {
    changes.push([...changed])
    most = Math.max(most, ++open)
    if (changes.length === 1) await new Promise<void>((resolve) => (release = resolve))
    open--
  })
  writeFileSync(at('a'), 'two')
  const first = check()
  await until(() => expect(release).toBeTypeOf('function'))
  writeFileSync(at('a'), 'three')
  const others = [check(), check(), check()]
  release?.()
  await Promise.all([first, ...others])
  expect(most).toBe(1)
  expect(changes).toEqual([[at('a')], [at('a')]])
})

test('a callback that throws is told to onError, and watching goes on', async () => {
  writeFileSync(at('a'), 'one')
  const { check } = await start([at('a')], { intervalMs: never, settleMs: never }, (changed) => {
    changes.push([...changed])
    throw new Error(`refused ${changes.length}`)
  })
  for (const content of ['two', 'three']) {
    writeFileSync(at('a'), content)
    await check()
  }
  expect(errors).toEqual([new Error('refused 1'), new Error('refused 2')])
})

test('after close nothing is told any more', async () => {
  writeFileSync(at('a'), 'one')
  const { check, close } = await start([at('a')], { intervalMs: 20 })
  close()
  writeFileSync(at('a'), 'two')
  await check()
  expect(changes).toEqual([])
})
