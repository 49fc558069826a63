// Which changed settings cannot be taken over by a running process? They are named, so that nobody believes that they are
// in force.
import { isDeepStrictEqual } from 'node:util'
import type { Config } from '../config/options.ts'

/** Answers the names of settings that differ and that only a start reads. */
export function restartSettings(before: Config, after: Config): readonly string[] {
  const names: string[] = []
  const compare = (name: string, one: unknown, other: unknown) => {
    if (!isDeepStrictEqual(one, other)) names.push(name)
  }
  compare('workers', before.workers, after.workers)
  compare('listen', before.listen, after.listen)
  compare('tls', before.tls === undefined, after.tls === undefined)
  if (before.tls !== undefined && after.tls !== undefined)
    compare('tls.clientCaFile', before.tls.clientCaFile === undefined, after.tls.clientCaFile === undefined)
  compare('admin.listen', before.admin.listen, after.admin.listen)
  compare('admin.tokenFile', before.admin.tokenFile === undefined, after.admin.tokenFile === undefined)
  compare('revocation', before.revocation, after.revocation)
  compare('log', before.log, after.log)
  for (const name of ['headerBytes', 'requestTimeout', 'headersTimeout', 'idleTimeout', 'maxConnections'] as const)
    compare(`limits.${name}`, before.limits[name], after.limits[name])
  return names
}
