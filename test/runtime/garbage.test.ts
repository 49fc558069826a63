// The garbage of bodies is collected where the runtime lets us; where it does not, the gate runs without.
import { execFile } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, expect, test } from 'vitest'
import { createWorld } from '../support/gateway.ts'
import { startEchoOrigin } from '../support/origin.ts'
import { killProcesses, startProcess } from '../support/process.ts'

const MEBIBYTE = 1024 * 1024
const closing: (() => unknown)[] = []
afterEach(async () => {
  killProcesses()
  for (const close of closing.splice(0).reverse()) await close()
})

const module = new URL('../../src/runtime/garbage.ts', import.meta.url).href

/** What a process prints that has done nothing else before: what V8 still holds depends on all that a heap has seen. */
async function printed(script: string, flags: readonly string[] = []): Promise<string> {
  const run = promisify(execFile)(process.execPath, [...flags, '--input-type=module', '--eval', script])
  return (await run).stdout.trim()
}

test('buffers that nobody holds any more are freed, and the main context has got no `gc`', async () => {
  const script = `
    import { createGarbageCollectors } from '${module}'
    const { young } = createGarbageCollectors()
    const heldBytes = () => process.memoryUsage().arrayBuffers
    young()
    const before = heldBytes()
    for (let count = 0; count < 64; count++) Buffer.alloc(${MEBIBYTE / 8})
    const unfreed = heldBytes() - before
    // V8 frees what was collected in another thread, in its own time
    for (let tries = 0; tries < 100 && heldBytes() - before > ${MEBIBYTE}; tries++) {
      young()
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    console.log(JSON.stringify({ unfreed, held: heldBytes() - before, isSeen: 'gc' in globalThis }))`
  const { unfreed, held, isSeen } = JSON.parse(await printed(script)) as Record<string, number | boolean>
  expect(unfreed).toBeGreaterThan(4 * MEBIBYTE)
  expect(held).toBeLessThan(MEBIBYTE)
  expect(isSeen).toBe(false)
})

test('all garbage is collected in one call, and its room given back', async () => {
  const script = `
    import { createGarbageCollectors } from '${module}'
    let left = Array.from({ length: 200_000 }, (_, index) => ({ index }))
    const before = process.memoryUsage().heapTotal
    left = left.length
    createGarbageCollectors().all()
    console.log(before - process.memoryUsage().heapTotal)`
  expect(Number(await printed(script))).toBeGreaterThan(2 * MEBIBYTE)
})

/** A module that is loaded first and makes the runtime refuse. */
const preload = (refusal: string) =>
  `data:text/javascript,import v8 from 'node:v8';import { syncBuiltinESMExports } from 'node:module';v8.setFlagsFromString = ${refusal};syncBuiltinESMExports()`
const refusing: Record<string, string[]> = {
  'refuses to set flags': ['--import', preload(`() => { throw new Error('refused') }`)],
  'sets no flags, and says nothing': ['--import', preload('() => {}')],
  'has frozen its flags': ['--freeze-flags-after-init'],
  'has frozen its flags, spelled another way': ['--freeze_flags_after_init'],
}
for (const [sentence, flags] of Object.entries(refusing)) {
  test(`a runtime that ${sentence} gives none`, async () => {
    const script = `import { createGarbageCollectors } from '${module}'; console.log(String(createGarbageCollectors()))`
    expect(await printed(script, flags)).toBe('undefined')
  })
}

test('a gate whose runtime gives none says so, and passes long bodies all the same', async () => {
  const world = createWorld()
  closing.push(world.remove)
  const app = await startEchoOrigin()
  closing.push(app.close)
  const file = join(world.folder, 'sidegate.yaml')
  writeFileSync(file, world.settings(app.url))
  const refusal = preload(`() => { throw new Error('refused') }`).replaceAll(' ', '%20')
  const gate = await startProcess(['run', '--config', file], { NODE_OPTIONS: `--import ${refusal}` })
  expect(gate.output()).toContain('Cannot collect garbage early')
  const response = await fetch(`http://127.0.0.1:${gate.port}/`, {
    method: 'POST',
    headers: { authorization: `Bearer ${world.mint()}` },
    body: new Uint8Array(20 * MEBIBYTE),
  })
  expect(await response.json()).toMatchObject({ bodyBytes: 20 * MEBIBYTE })
})
