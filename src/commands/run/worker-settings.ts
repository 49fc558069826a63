// The settings of a worker. They come from the first process as bytes, from the start to the end: a worker that read files itself
// could have other settings than those beside it, or none where a file is wrong by now.

import type { AddressInfo } from 'node:net'
import type { Sidegate } from '../../assembly/composition-root.ts'
import type { Materials } from '../../assembly/settings/file-contents.ts'
import {
  type Files,
  readSettings,
  type SettingsArguments,
  type WrongSettings,
} from '../../assembly/settings/read-settings.ts'
import type { Config } from '../../config/options.ts'
import { formatProblem } from '../../config/problems.ts'
import { type ReadFile, SettingFileError } from '../../config/sources/files.ts'
import { messageOf } from '../../model/error.ts'
import type { Joined } from '../../workers/cluster-member.ts'
import type { SharedSettings } from '../../workers/messages.ts'
import { shareOf } from '../../workers/share-of-limits.ts'
import type { Shell } from '../shell.ts'

export interface FollowedSettings {
  /** The part of this worker. */
  readonly config: Config
  readonly materials: Materials
  /** Where the first process serves the admin port. */
  readonly admin: AddressInfo
  /** Takes over what comes from now on, and what has come since. */
  readonly follow: (app: Pick<Sidegate, 'reload' | 'reloadFailed'>) => void
}

/** Asks the first process for the settings that are in force. */
export async function followShared(
  given: SettingsArguments,
  joined: Joined,
  shell: Shell,
): Promise<FollowedSettings | WrongSettings> {
  const first = await joined.settings()
  const start = await readSettings(given, at(first, shell), { readFile: readFrom(first.start) })
  if ('problems' in start) return start
  const running = start.config
  const read = (shared: SharedSettings) =>
    readSettings(given, at(shared, shell), { readFile: readFrom(shared.latest), running })
  const now = await read(first)
  if ('problems' in now) return now
  const ownPart = (whole: Config) => shareOf(whole, running.workers)
  let { version } = first
  let readings = first.problems.length > 0 ? first.readings - 1 : first.readings
  joined.tookOver(version)

  async function look(app: Pick<Sidegate, 'reload' | 'reloadFailed'>): Promise<void> {
    const shared = await joined.settings()
    if (shared.version !== version) {
      const next = await read(shared)
      if ('problems' in next) return app.reloadFailed(next.problems.map(formatProblem))
      app.reload(ownPart(next.config), next.materials, next.waiting)
      version = shared.version
      joined.tookOver(version)
    }
    if (shared.readings !== readings && shared.problems.length > 0) app.reloadFailed(shared.problems)
    readings = shared.readings
  }

  return {
    config: ownPart(now.config),
    materials: now.materials,
    admin: first.admin,
    follow: (app) => {
      let turn: Promise<void> = Promise.resolve()
      joined.onNews(() => {
        turn = turn.then(() => look(app)).catch((error: unknown) => app.reloadFailed([messageOf(error)]))
      })
    },
  }
}

function readFrom(files: Files): ReadFile {
  return async (path) => {
    const bytes = files.get(path)
    if (bytes === undefined) throw new SettingFileError(`Cannot read ${JSON.stringify(path)}: it was not read before`)
    return Buffer.from(bytes)
  }
}

/** A certificate that has expired since is in force on the other workers as well. */
function at({ readAtMs }: SharedSettings, shell: Shell): Pick<Shell, 'environment' | 'clock'> {
  return { environment: shell.environment, clock: () => readAtMs }
}
