// `sidegate keys rotate`: the next key of the refresh. Every gate must know a key to verify before any gate signs with it, so
// the new key waits. No key is printed, and none is overwritten or removed.
import { randomBytes } from 'node:crypto'
import { dirname, join } from 'node:path'
import type { Argv } from 'yargs'
import { parseDuration } from '../../config/value-types/durations.ts'
import { createSecretSigner, generateKey } from '../../token/signing/mint.ts'
import { beginsAtSeconds, signingAt } from '../../token/signing/signing-times.ts'
import { ANSWER_IS_NO, DONE, type Shell, UsageError } from '../shell.ts'
import { distance, isoTime } from '../token/describe-times.ts'
import { removeFiles, writeNew } from '../write-files.ts'
import { dropKeys, droppableFromSeconds } from './drop.ts'
import { ALGORITHMS } from './generate.ts'
import { type RefreshKey, type Rotation, readRotation, saveKeys } from './refresh-keys-in-settings.ts'

const SECRET_ALGORITHMS = ['HS256', 'HS384', 'HS512'] as const
/** Enough for HS512 (RFC 7518 section 3.2). */
const SECRET_BYTES = 64

interface RotateArguments {
  readonly config: string
  readonly out?: string | undefined
  readonly algorithm?: string | undefined
  readonly in: string
  readonly drop: boolean
  readonly json: boolean
}

export function rotateOptions<T>(argv: Argv<T>) {
  return argv
    .option('config', {
      alias: 'c',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      description: 'The settings file (YAML), which is changed',
    })
    .option('out', {
      type: 'string',
      requiresArg: true,
      description: 'The folder to write the key to; default: where the settings name the present key',
    })
    .option('algorithm', {
      choices: [...ALGORITHMS, ...SECRET_ALGORITHMS],
      description: 'The signature algorithm; default: that of the present key',
    })
    .option('in', {
      type: 'string',
      requiresArg: true,
      default: '10m',
      description: 'When the new key begins to sign: later than every gate has read the settings',
    })
    .option('drop', {
      type: 'boolean',
      default: false,
      description: 'Make no key, but take out those whose tokens have all expired',
    })
    .option('json', { type: 'boolean', default: false, description: 'Print what was done as JSON' })
    .example('$0 keys rotate -c sidegate.yaml', 'Makes the next key, which signs in 10 minutes')
    .example('$0 keys rotate -c sidegate.yaml --drop', 'Takes out the key before, once nothing needs it')
}

/** Answers 0 where the settings were changed, else 1. */
export async function rotateKeys(given: RotateArguments, shell: Shell): Promise<number> {
  const waitMs = parseDuration(given.in)
  if (waitMs === undefined) throw new UsageError(`--in "${given.in}" is no duration such as 10m`)
  const rotation = await readRotation(given.config, shell)
  if (rotation === undefined) return ANSWER_IS_NO
  if (given.drop) return dropKeys(rotation, given, shell)
  const done = await addKey(rotation, { ...given, waitMs }, shell)
  if (typeof done === 'string') {
    shell.complain(done)
    return ANSWER_IS_NO
  }
  if (given.json) shell.print(JSON.stringify(done, null, 2))
  else for (const line of describe(done, shell.clock() / 1000)) shell.print(line)
  return DONE
}

/** What was done, as `--json` prints it. */
interface Added {
  readonly config: string
  readonly keyId: string
  readonly algorithm: string
  /** When it begins to sign. */
  readonly active: string
  readonly files: readonly string[]
  /** Where the settings look for the file that signs. */
  readonly named: string
  readonly before: { readonly keyId: string; readonly droppableFrom: string }
}

/** Answers what was done, or what hinders it. */
async function addKey(
  rotation: Rotation,
  { out, algorithm, waitMs }: Pick<RotateArguments, 'out' | 'algorithm'> & { readonly waitMs: number },
  shell: Shell,
): Promise<Added | string> {
  const nowMs = shell.clock()
  const present = signingAt(rotation.keys, nowMs / 1000)
  const waiting = rotation.keys.find((key) => (beginsAtSeconds(key) ?? 0) > nowMs / 1000)
  if (waiting !== undefined) return `Cannot rotate: ${describeWaiting(waiting, nowMs / 1000)}`
  if (present === undefined) return 'Cannot rotate: no key signs now'
  const next = await makeKey(algorithm ?? present.algorithm, nowMs)
  const beginsSeconds = Math.ceil((nowMs + waitMs) / 1000)
  const active = isoTime(beginsSeconds)
  const folder = dirname(present.file)
  const files = next.files.map((file) => ({ ...file, path: join(out ?? folder, file.name) }))
  const unwritten = await writeNew(out ?? folder, files)
  if (unwritten !== undefined) return unwritten
  const named = join(folder, next.name)
  const add = { [next.setting]: named, algorithm: next.algorithm, keyId: next.keyId, active }
  const unsaved = await saveKeys(rotation, { add, presentKeyId: rotation.presentKeyId }, shell)
  const paths = files.map(({ path }) => path)
  if (unsaved !== undefined) {
    await removeFiles(paths)
    return unsaved
  }
  const droppableFrom = isoTime(Math.ceil(droppableFromSeconds(beginsSeconds, rotation)))
  const { keyId, algorithm: signsWith } = next
  const before = { keyId: present.keyId, droppableFrom }
  return { config: rotation.path, keyId, algorithm: signsWith, active, files: paths, named, before }
}

function describeWaiting(key: RefreshKey, nowSeconds: number): string {
  const begins = beginsAtSeconds(key) ?? 0
  return `key "${key.keyId}" is waiting already; it signs ${distance(begins - nowSeconds)}, from ${isoTime(begins)} on`
}

interface MadeKey {
  readonly algorithm: string
  readonly keyId: string
  readonly setting: 'privateKeyFile' | 'secretFile'
  /** The name of the file that signs. */
  readonly name: string
  readonly files: readonly { readonly name: string; readonly text: string; readonly mode: number }[]
}

/** A new key, its files named after the time, so that they stand beside the others. */
async function makeKey(algorithm: string, nowMs: number): Promise<MadeKey> {
  const stem = `signing-${new Date(nowMs).toISOString().replace(/[-:]|\.\d+/g, '')}`
  if (algorithm.startsWith('HS')) {
    const text = `${randomBytes(SECRET_BYTES).toString('base64url')}\n`
    const { keyId } = createSecretSigner(Buffer.from(text), algorithm)
    const name = `${stem}.secret`
    return { algorithm, keyId, setting: 'secretFile', name, files: [{ name, text, mode: 0o600 }] }
  }
  const { keyId, privatePem, publicPem } = await generateKey(algorithm)
  const name = `${stem}.pem`
  const files = [
    { name, text: privatePem, mode: 0o600 },
    { name: `${stem}.public.pem`, text: publicPem, mode: 0o644 },
  ]
  return { algorithm, keyId, setting: 'privateKeyFile', name, files }
}

function describe(done: Added, nowSeconds: number): readonly string[] {
  const waits = Date.parse(done.active) / 1000 - nowSeconds
  const shown = done.algorithm.startsWith('HS') ? '' : '; its admin port then shows the key at /.well-known/jwks.json'
  return [
    `Wrote ${done.files.join(' and ')}`,
    `Changed ${done.config}: key "${done.keyId}" verifies from now on, and signs from ${done.active} on (${distance(waits)})`,
    'Next:',
    `1. Before that time, bring it to every gate: first the key, as ${done.named}, then the settings${shown}`,
    `2. From ${done.before.droppableFrom} on, no token of key "${done.before.keyId}" is valid any more: run this with --drop`,
  ]
}
