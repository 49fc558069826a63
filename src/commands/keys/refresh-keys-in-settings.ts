// Which keys does a settings file give the refresh, and how is it changed? Shared by the two halves of `sidegate keys rotate`.
// It opens no key file but the one secret that has no name: the settings may name the paths of a pod.
import { isDeepStrictEqual } from 'node:util'
import { changeKeys, type KeyChange } from '../../config/key-edit.ts'
import { type LoadResult, loadConfig } from '../../config/load.ts'
import type { Config, RefreshConfig } from '../../config/options.ts'
import { formatProblems } from '../../config/problems.ts'
import { readSettingFile, SettingFileError } from '../../config/sources/files.ts'
import { KeyError } from '../../token/keys/key-set.ts'
import { createSecretSigner } from '../../token/signing/mint.ts'
import type { Active } from '../../token/signing/signing-times.ts'
import type { Shell } from '../shell.ts'
import { replaceFile } from '../write-files.ts'

/** A key of the refresh, as the settings name it. */
export interface RefreshKey {
  readonly keyId: string
  readonly algorithm: string
  readonly active: Active
  readonly file: string
}

export interface Rotation {
  readonly path: string
  readonly text: string
  readonly config: Config
  readonly refresh: RefreshConfig
  readonly keys: readonly RefreshKey[]
  /** The key id of the one key, where the settings leave it to the key itself. */
  readonly presentKeyId: string | undefined
}

/** Reads the settings that are to be changed; what hinders it is told, and the answer is nothing. */
export async function readRotation(path: string, shell: Shell): Promise<Rotation | undefined> {
  try {
    const text = (await readSettingFile(path)).toString('utf8')
    const loaded = load(path, text, shell)
    if ('problems' in loaded) {
      for (const line of formatProblems(loaded.problems)) shell.complain(line)
      return undefined
    }
    const { config } = loaded
    const { refresh } = config
    if (refresh === undefined || refresh.exchange !== undefined) {
      const why = refresh === undefined ? 'have no "refresh"' : 'leave the keys to the provider ("refresh.exchange")'
      shell.complain(`Cannot rotate: the settings in "${path}" ${why}`)
      return undefined
    }
    const presentKeyId = await unwrittenKeyId(refresh)
    return { path, text, config, refresh, keys: keysOf(refresh, presentKeyId), presentKeyId }
  } catch (error) {
    if (!(error instanceof SettingFileError || error instanceof KeyError)) throw error
    shell.complain(`Cannot rotate: ${error.message}`)
    return undefined
  }
}

/**
 * Writes the settings with this change in them. Answers what hinders it, or nothing. The new text is read as a gate would
 * read it before it takes the place of the old one.
 */
export async function saveKeys(rotation: Rotation, change: KeyChange, shell: Shell): Promise<string | undefined> {
  const { path } = rotation
  const text = changeKeys(rotation.text, change)
  if (text === undefined) return `Cannot change "${path}": its refresh keys are not written out there`
  const loaded = load(path, text, shell)
  if ('problems' in loaded) return `Cannot change "${path}": ${formatProblems(loaded.problems).join('\n')}`
  const before = rotation.keys.map(({ keyId }) => keyId)
  const wanted = 'add' in change ? [...before, change.add.keyId] : before.filter((_, at) => !change.drop.includes(at))
  const after = loaded.config.refresh?.keys?.map(({ keyId }) => keyId)
  if (!isDeepStrictEqual(after, wanted))
    return `Cannot change "${path}": a variable gives other refresh keys than the file`
  return replaceFile(path, text)
}

function load(path: string, text: string, { environment }: Shell): LoadResult {
  return loadConfig({ file: { path, text }, environment, flags: {} })
}

function keysOf({ key, keys }: RefreshConfig, presentKeyId: string | undefined): readonly RefreshKey[] {
  const given = key === undefined ? (keys ?? []) : [{ ...key, active: true, publicKeyFile: undefined }]
  return given.map(({ keyId, algorithm, active, privateKeyFile, publicKeyFile, secretFile }) => ({
    keyId: keyId ?? presentKeyId ?? '',
    algorithm,
    active,
    file: privateKeyFile ?? publicKeyFile ?? secretFile ?? '',
  }))
}

async function unwrittenKeyId({ key }: RefreshConfig): Promise<string | undefined> {
  if (key?.secretFile === undefined || key.keyId !== undefined) return undefined
  return createSecretSigner(await readSettingFile(key.secretFile), key.algorithm).keyId
}
