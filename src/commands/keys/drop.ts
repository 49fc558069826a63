// `sidegate keys rotate --drop`: which keys of the refresh does no valid token need any more? Only what the times in the
// settings prove is taken out; files are named and never removed.
import { beginsAtSeconds, signingAt, supersededAtSeconds } from '../../token/signing/signing-times.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'
import { distance, isoTime } from '../token/describe-times.ts'
import { type RefreshKey, type Rotation, saveKeys } from './refresh-keys-in-settings.ts'

/**
 * When every token of a key has expired that signed until then, in unix seconds. A successor counts its lifetime from the
 * beginning of its predecessor's window, and it is signed after that: it ends no later than a lifetime after its signature.
 */
export function droppableFromSeconds(supersededSeconds: number, { config, refresh }: Rotation): number {
  const toleranceMs = Math.max(...config.issuers.map((issuer) => issuer.clockTolerance))
  return supersededSeconds + (refresh.lifetime + toleranceMs) / 1000
}

interface Kept {
  readonly keyId: string
  readonly why: string
}

/** Answers 0 where a key was taken out, else 1. */
export async function dropKeys(rotation: Rotation, { json }: { readonly json: boolean }, shell: Shell) {
  const nowSeconds = shell.clock() / 1000
  const reasons = rotation.keys.map((key) => whyKept(key, rotation, nowSeconds))
  const places = reasons.flatMap((why, index) => (why === undefined ? [index] : []))
  const dropped = places.flatMap((index) => rotation.keys[index] ?? [])
  const kept = rotation.keys.flatMap(({ keyId }, index) => {
    const why = reasons[index]
    return why === undefined ? [] : [{ keyId, why }]
  })
  const problem = places.length === 0 ? undefined : await saveKeys(rotation, { drop: places }, shell)
  if (problem !== undefined) {
    shell.complain(problem)
    return ANSWER_IS_NO
  }
  const files = dropped.map(({ file }) => file)
  const keyIds = dropped.map(({ keyId }) => keyId)
  if (json) shell.print(JSON.stringify({ config: rotation.path, dropped: keyIds, files, kept }, null, 2))
  else for (const line of describe(rotation.path, dropped, kept)) shell.print(line)
  return dropped.length === 0 ? ANSWER_IS_NO : DONE
}

/** Why a key stays, or nothing where it can go. */
function whyKept(key: RefreshKey, rotation: Rotation, nowSeconds: number): string | undefined {
  const begins = beginsAtSeconds(key)
  if (begins === undefined) return 'the settings do not tell when it signed last; take it out by hand'
  if (key === signingAt(rotation.keys, nowSeconds)) return 'it signs'
  if (begins > nowSeconds) return `it signs ${distance(begins - nowSeconds)}, from ${isoTime(begins)} on`
  const until = droppableFromSeconds(supersededAtSeconds(key, rotation.keys) ?? nowSeconds, rotation)
  if (until <= nowSeconds) return undefined
  return `its last tokens expire ${distance(until - nowSeconds)}, at ${isoTime(Math.ceil(until))}`
}

function describe(path: string, dropped: readonly RefreshKey[], kept: readonly Kept[]): readonly string[] {
  return [
    ...kept.map(({ keyId, why }) => `Kept key "${keyId}": ${why}`),
    ...dropped.map(
      ({ keyId, file }) =>
        `Took key "${keyId}" out of ${path}; once every gate has read that, "${file}" can be removed`,
    ),
    ...(dropped.length === 0 ? ['No key can go yet'] : []),
  ]
}
