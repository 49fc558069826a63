// The image, built from the Dockerfile by buildah without any registry of images, and run by crun as Kubernetes would run
// it: as the user that it names, with a read-only root, as process 1 of its own. Both want root.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const repository = join(import.meta.dirname, '..', '..')
const PROGRAMS = ['buildah', 'crun', 'ldd', 'unshare']
const CERTIFICATES = '/etc/ssl/certs/ca-certificates.crt'
/** What npm needs on the machine that builds, beside Node. */
const BUILD_PROGRAMS = ['/bin/sh', '/usr/bin/env']
const NPM_FOLDERS = ['/usr/lib/node_modules/npm', '/usr/local/lib/node_modules/npm', '/usr/share/nodejs/npm']

/** Why no image can be built here; nothing where one can. */
export function whyNoImage(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root may build and run images here'
  const absent = PROGRAMS.filter((program) => spawnSync('which', [program]).status !== 0)
  if (absent.length > 0) return `missing: ${absent.join(', ')}`
  return NPM_FOLDERS.some((folder) => existsSync(folder)) ? undefined : 'npm is not where it is looked for'
}

export interface BuiltImage {
  /** The files of the image, and of its base alone. */
  readonly root: string
  readonly baseRoot: string
  /** What the image says about itself (OCI image configuration). */
  readonly config: ImageConfig
  /** A folder for what the containers need. */
  readonly folder: string
  readonly remove: () => Promise<void>
}

export interface ImageConfig {
  readonly User: string
  readonly Env: readonly string[]
  readonly Entrypoint: readonly string[]
  readonly Cmd: readonly string[]
  readonly Labels: Readonly<Record<string, string>>
}

/** Builds both bases from files of this machine, and on them the image by its Dockerfile. Takes about a minute. */
export async function buildImage(): Promise<BuiltImage> {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-image-'))
  const store = ['--root', join(folder, 'store'), '--runroot', join(folder, 'run'), '--storage-driver', 'vfs']
  const buildah = async (...given: readonly string[]) => {
    try {
      return (await run('buildah', [...store, ...given], { cwd: repository })).stdout.trim()
    } catch (error) {
      const { stdout, stderr } = error as { stdout: string; stderr: string }
      rmSync(folder, { recursive: true, force: true })
      throw new Error(`Cannot ${given[0]} by buildah:\n${stdout.slice(-2000)}${stderr.slice(-2000)}`)
    }
  }

  const commitBase = async (name: string, files: string, variables: readonly string[]) => {
    const container = await buildah('from', 'scratch')
    await buildah('copy', '--quiet', container, files, '/')
    await buildah('config', ...variables.flatMap((variable) => ['--env', variable]), container)
    await buildah('commit', '--quiet', '--rm', container, `localhost/${name}`)
  }
  await commitBase('base', makeBase(join(folder, 'base')), ['PATH=/usr/local/bin:/usr/bin:/bin'])
  await commitBase('build', makeBuildBase(join(folder, 'build')), [
    'PATH=/usr/local/bin:/usr/bin:/bin',
    `NODE_EXTRA_CA_CERTS=${CERTIFICATES}`,
  ])
  const bases = ['--build-arg', 'BASE=localhost/base', '--build-arg', 'BUILD=localhost/build']
  const labels = ['--build-arg', 'VERSION=9.8.7', '--build-arg', 'REVISION=abc']
  await buildah('bud', '--isolation', 'chroot', '--pull-never', ...bases, ...labels, '--tag', 'localhost/image', '.')
  const container = await buildah('from', '--pull-never', 'localhost/image')
  const inspected = JSON.parse(await buildah('inspect', container)) as { OCIv1: { config: ImageConfig } }
  return {
    folder,
    root: await buildah('mount', container),
    baseRoot: join(folder, 'base'),
    config: inspected.OCIv1.config,
    remove: async () => {
      await buildah('umount', '--all')
      // crun takes away the last of a container in its own time.
      rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 })
    },
  }
}

/** glibc, libstdc++ and certificates, as in an image without a distribution around them. */
function makeBase(folder: string): string {
  copyLibrariesOf(process.execPath, folder)
  copyInto(folder, CERTIFICATES)
  mkdirSync(join(folder, 'tmp'))
  return folder
}

/** The same, with Node, npm and a shell to run them. */
function makeBuildBase(folder: string): string {
  makeBase(folder)
  copyInto(folder, process.execPath, '/usr/local/bin/node')
  for (const program of BUILD_PROGRAMS) {
    copyLibrariesOf(program, folder)
    copyInto(folder, program)
  }
  const npm = NPM_FOLDERS.find((path) => existsSync(path)) ?? ''
  copyInto(folder, npm, '/usr/local/lib/node_modules/npm')
  writeFileSync(
    join(folder, 'usr/local/bin/npm'),
    '#!/bin/sh\nexec node /usr/local/lib/node_modules/npm/bin/npm-cli.js "$@"\n',
    {
      mode: 0o755,
    },
  )
  writeFileSync(join(folder, 'usr/local/LICENSE'), 'the licence of Node\n')
  writeFileSync(join(folder, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n')
  return folder
}

function copyLibrariesOf(program: string, folder: string): void {
  const { stdout } = spawnSync('ldd', [program], { encoding: 'utf8' })
  for (const [path] of stdout.matchAll(/\/\S+/g)) copyInto(folder, path)
}

function copyInto(folder: string, path: string, as = path): void {
  const target = join(folder, as)
  mkdirSync(dirname(target), { recursive: true })
  cpSync(realpathSync(path), target, { recursive: true })
}

export interface Container {
  readonly child: ChildProcess
  readonly output: () => string
  readonly exited: Promise<number | null>
  /** Runs a program beside it, as an exec probe does. */
  readonly execute: (...given: readonly string[]) => Promise<{ readonly exitCode: number; readonly output: string }>
  /** Sends a signal to process 1. */
  readonly kill: (signal: string) => Promise<void>
}

/** Where and how a container runs. `mounts` are read-only folders by their place inside. */
export interface ContainerOptions {
  readonly args: readonly string[]
  readonly variables?: readonly string[]
  readonly mounts?: Readonly<Record<string, string>>
}

let count = 0

/** Starts a container of the image, in the network of this machine and with no privilege at all. */
export function startContainer(image: BuiltImage, { args, variables = [], mounts = {} }: ContainerOptions): Container {
  count += 1
  const name = `sidegate-${process.pid}-${count}`
  const bundle = join(image.folder, name)
  mkdirSync(bundle)
  const [uid = 0, gid = 0] = image.config.User.split(':').map(Number)
  const specification = {
    ociVersion: '1.0.2',
    process: {
      user: { uid, gid },
      args,
      env: [...image.config.Env, ...variables],
      cwd: '/',
      noNewPrivileges: true,
      capabilities: {},
    },
    root: { path: image.root, readonly: true },
    mounts: [
      { destination: '/proc', type: 'proc', source: 'proc' },
      { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'mode=755', 'ro'] },
      ...Object.entries(mounts).map(([destination, source]) => ({
        ...{ destination, source, type: 'bind', options: ['bind', 'ro'] },
      })),
    ],
    linux: { namespaces: [{ type: 'pid' }, { type: 'mount' }, { type: 'ipc' }] },
  }
  writeFileSync(join(bundle, 'config.json'), JSON.stringify(specification))
  const child = spawn('unshare', crun(image, 'run', '--bundle', bundle, name), { stdio: ['ignore', 'pipe', 'pipe'] })
  let text = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (bytes: Buffer) => {
      text += bytes.toString('utf8')
    })
  return {
    child,
    output: () => text,
    exited: new Promise((resolve) => child.once('close', resolve)),
    execute: (...given) => execute(crun(image, 'exec', name, ...given)),
    kill: async (signal) => {
      await run('unshare', crun(image, 'kill', name, signal))
    },
  }
}

/** crun refuses machines with both versions of cgroups: in a mount namespace of its own it sees but one. */
function crun(image: BuiltImage, ...given: readonly string[]): string[] {
  const oneVersion = 'umount -l /sys/fs/cgroup/unified /sys/fs/cgroup/systemd 2>/dev/null; exec "$@"'
  const state = join(image.folder, 'containers')
  return ['--mount', 'sh', '-c', oneVersion, 'sh', 'crun', '--root', state, '--cgroup-manager=disabled', ...given]
}

async function execute(given: readonly string[]): Promise<{ readonly exitCode: number; readonly output: string }> {
  try {
    const { stdout, stderr } = await run('unshare', given)
    return { exitCode: 0, output: `${stdout}${stderr}` }
  } catch (error) {
    const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string }
    return { exitCode: code, output: `${stdout}${stderr}` }
  }
}
