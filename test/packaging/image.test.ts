// The image as it is shipped: built by its Dockerfile, run as Kubernetes runs it. `npm run test:image` runs this, as it takes
// about a minute; with it goes what the image weighs.
import { spawnSync } from 'node:child_process'
import { chmodSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { createWorld, type World } from '../support/gateway.ts'
import { type BuiltImage, buildImage, type Container, startContainer, whyNoImage } from '../support/image.ts'
import { freePort } from '../support/listen.ts'
import { startApp } from '../support/origin.ts'

const whyNot = process.env.TEST_IMAGE === undefined ? 'it is run by "npm run test:image"' : whyNoImage()
if (whyNot !== undefined) console.log(`The image is not tried: ${whyNot}`)

describe.skipIf(whyNot !== undefined)('the image', () => {
  let image: BuiltImage
  let world: World
  let app: Awaited<ReturnType<typeof startApp>>
  const started: Container[] = []

  beforeAll(async () => {
    image = await buildImage()
    world = createWorld()
    // As the kubelet mounts it: for every user to read.
    chmodSync(world.folder, 0o755)
    app = await startApp((_, response) => response.end('hello'))
  }, 300_000)

  afterAll(async () => {
    await Promise.all(
      started.map(async ({ kill, exited }) => {
        await kill('KILL').catch(() => {})
        await exited
      }),
    )
    await app?.close()
    world?.remove()
    await image?.remove()
  })

  /** The gate as its entry point starts it, with its settings in the only folder that is mounted. */
  async function startGate() {
    const [port, adminPort] = [await freePort(), await freePort()]
    const inside = world.settings(app.url).replaceAll(world.folder, '/etc/sidegate')
    writeFileSync(join(world.folder, 'sidegate.yaml'), inside)
    const variables = [`SIDEGATE_LISTEN=127.0.0.1:${port}`, `SIDEGATE_ADMIN_LISTEN=127.0.0.1:${adminPort}`]
    const { Entrypoint, Cmd } = image.config
    const mounts = { '/etc/sidegate': world.folder }
    const container = startContainer(image, { args: [...Entrypoint, ...Cmd], variables, mounts })
    started.push(container)
    const isReady = async () => {
      const { status } = await fetch(`http://127.0.0.1:${adminPort}/readyz`).catch(() => ({
        status: container.output(),
      }))
      expect(status).toBe(200)
    }
    await vi.waitFor(isReady, 20_000)
    return { container, port }
  }

  test('serves as the user 65532 with a read-only root, and leaves with 0 when process 1 is told to stop', async () => {
    const { container, port } = await startGate()
    const ask = (token?: string) =>
      fetch(`http://127.0.0.1:${port}/`, token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } })
    expect((await ask(world.mint())).status).toBe(200)
    expect((await ask()).status).toBe(401)
    await container.kill('TERM')
    expect(await container.exited).toBe(0)
    expect(container.output()).toContain('"msg":"Stopped"')
  })

  test('has a command for probes, which needs no shell and no address', async () => {
    const { container } = await startGate()
    expect(await container.execute('sidegate', 'health')).toEqual({ exitCode: 0, output: 'ok\n' })
    const ready = await container.execute('sidegate', 'health', '--ready')
    expect([ready.exitCode, ready.output]).toEqual([0, expect.stringContaining('"ready":true')])
    const wrong = await container.execute('sidegate', 'health', '--admin', '127.0.0.1:1')
    expect([wrong.exitCode, wrong.output]).toEqual([1, expect.stringContaining('nothing listens there')])
  })

  test('cannot write anywhere, and has no privilege', async () => {
    const look = `
      const below = (folder) => fs.readdirSync(folder, { withFileTypes: true })
        .filter((entry) => entry.isDirectory() && entry.name !== 'proc')
        .flatMap(({ name }) => [folder + name, ...below(folder + name + '/')])
      const folders = ['/', '/proc/self', ...below('/')]
      const written = folders.filter((folder) => {
        try { fs.writeFileSync(folder + '/written', '') } catch { return false }
        return true
      })
      const capabilities = /CapEff:\\s*(\\w+)/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]
      const user = [process.getuid(), process.getgid()]
      console.log(JSON.stringify({ user, pid: process.pid, capabilities, written, folders: folders.length }))`
    const container = startContainer(image, { args: ['/sidegate/node', '-e', look] })
    expect(await container.exited, container.output()).toBe(0)
    const { folders, ...rest } = JSON.parse(container.output()) as { folders: number }
    expect(rest).toEqual({ user: [65_532, 65_532], pid: 1, capabilities: '0'.repeat(16), written: [] })
    expect(folders).toBeGreaterThan(5)
  })

  test('adds one folder to its base, without a shell and without a package manager', () => {
    const added = filesBelow(image.root).filter((file) => !filesBelow(image.baseRoot).includes(file))
    // The settings were mounted there, and resolvers of names are put there by those who run containers.
    expect(added.filter((file) => !file.startsWith('etc/')).sort()).toEqual(
      ['LICENSE', 'LICENSE.node', 'THIRD-PARTY-LICENSES.txt', 'node', 'sidegate', 'sidegate.mjs'].map(
        (file) => `sidegate/${file}`,
      ),
    )
  })

  test('says what it is', () => {
    expect(image.config.User).toBe('65532:65532')
    expect(image.config.Labels).toMatchObject({
      'org.opencontainers.image.title': 'Sidegate',
      'org.opencontainers.image.licenses': 'Apache-2.0',
      'org.opencontainers.image.version': '9.8.7',
      'org.opencontainers.image.revision': 'abc',
    })
  })

  test('weighs little beside Node', () => {
    const compressed = (folder: string, ...files: readonly string[]) =>
      Number(spawnSync('sh', ['-c', 'tar -C "$1" -cf - $2 | gzip -6 | wc -c', 'sh', folder, files.join(' ')]).stdout)
    const mebibytes = (bytes: number) => `${(bytes / 1024 / 1024).toFixed(1)} MiB`
    const ours = filesBelow(join(image.root, 'sidegate')).filter((file) => file !== 'node')
    const oursBytes = ours.reduce((sum, file) => sum + statSync(join(image.root, 'sidegate', file)).size, 0)
    const baseBytes = filesBelow(image.baseRoot).reduce(
      (sum, file) => sum + statSync(join(image.baseRoot, file)).size,
      0,
    )
    const nodeBytes = statSync(join(image.root, 'sidegate/node')).size
    const parts: [string, number, number][] = [
      ['base', baseBytes, compressed(image.baseRoot, '.')],
      ['Node', nodeBytes, compressed(join(image.root, 'sidegate'), 'node')],
      ['ours', oursBytes, compressed(join(image.root, 'sidegate'), ...ours)],
    ]
    for (const [name, plain, packed] of parts)
      console.log(`${name}: ${mebibytes(plain)}, compressed ${mebibytes(packed)}`)
    expect(oursBytes).toBeLessThan(8 * 1024 * 1024)
  })
})

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((path) => {
    const found = statSync(join(folder, path), { throwIfNoEntry: false })
    return found !== undefined && !found.isDirectory()
  })
}
