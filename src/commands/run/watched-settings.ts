// Which settings are in force, from the start to the end? Follows the settings file and the files that it names. A change that
// comes between the reading of a file and the beginning of its watch must not be lost: what is used was read after that.

import { isDeepStrictEqual } from 'node:util'
import type { Sidegate } from '../../assembly/composition-root.ts'
import type { Materials } from '../../assembly/settings/file-contents.ts'
import {
  type Files,
  readSettings,
  type Settings,
  type SettingsArguments,
} from '../../assembly/settings/read-settings.ts'
import type { Config } from '../../config/options.ts'
import { formatProblem, type Problem } from '../../config/problems.ts'
import { filesOf } from '../../config/sources/files.ts'
import { type WatchOptions, watchFiles } from '../../config/sources/watch.ts'
import { messageOf } from '../../model/error.ts'
import type { Shell } from '../shell.ts'

export interface WatchedSettings {
  /** To start with. */
  readonly settings: Settings
  /** Tells the app from now on, and of what has changed since. */
  readonly follow: (follower: Follower) => Promise<void>
  /** Stops; waits for nothing. */
  readonly close: () => void
}

export interface Follower extends Pick<Sidegate, 'reloadFailed'> {
  readonly reload: (config: Config, materials: Materials, waiting: readonly string[], files: Files) => void
  /** Told after each reload of what is doubtful about the settings now in force; absent: nobody listens. */
  readonly warn?: (warnings: readonly Problem[]) => void
}

/** Watches the files of these settings, and those of each later version that is taken over. */
export async function watchSettings(
  given: SettingsArguments,
  first: Settings,
  shell: Shell,
  times: Pick<WatchOptions, 'intervalMs' | 'settleMs'> = {},
): Promise<WatchedSettings> {
  let app: Follower | undefined
  let isClosed = false
  let hasNews = false
  let files = filesToWatch(given, first.config)
  let watch = await startWatch()
  let turn: Promise<void> = Promise.resolve()

  const again = await readSettings(given, shell)
  const isSame = !('problems' in again) && isDeepStrictEqual(filesToWatch(given, again.config), files)
  hasNews ||= !isSame
  const settings = isSame ? again : first
  const readNew = () => readSettings(given, shell, { running: settings.config })

  function startWatch() {
    const onError = (error: unknown) => app?.reloadFailed([messageOf(error)])
    return watchFiles(files, reload, { ...times, onError })
  }

  /** One after another: the watches of two versions may overlap for a moment. */
  function reload(): Promise<void> {
    hasNews = true
    if (app === undefined) return Promise.resolve()
    const own = turn.then(reloadNow)
    turn = own.catch(() => {})
    return own
  }

  async function reloadNow(): Promise<void> {
    if (app === undefined || isClosed) return
    hasNews = false
    let result = await readNew()
    // Files that are not right yet are watched as well: a Secret may come after the settings that name it
    while (result.config !== undefined && !isDeepStrictEqual(filesToWatch(given, result.config), files)) {
      files = filesToWatch(given, result.config)
      const before = watch
      watch = await startWatch()
      before.close()
      if (isClosed) return watch.close()
      result = await readNew()
    }
    if ('problems' in result) return app.reloadFailed(result.problems.map(formatProblem))
    app.reload(result.config, result.materials, result.waiting, result.files)
    app.warn?.(result.warnings)
  }

  return {
    settings,
    follow: async (follower) => {
      app = follower
      if (hasNews) await reload()
    },
    close: () => {
      isClosed = true
      watch.close()
    },
  }
}

function filesToWatch(given: SettingsArguments, config: Config): readonly string[] {
  const named = filesOf(config).map((file) => file.path)
  return given.config === undefined ? named : [given.config, ...named]
}
