// Which settings are in force, from the start to the end? Follows the settings file and the files that it names. A change that
// comes between the reading of a file and the beginning of its watch must not be lost: what is used was read after that. Files
// that stay the same are read again as well, as certificates and lists of revoked ones begin and end by the clock.
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

/** A list of revoked certificates of an hour is said to end before it does. */
const LOOK_AGAIN_MS = 600_000

interface WatchTimes extends Pick<WatchOptions, 'intervalMs' | 'settleMs'> {
  /** How often files that did not change are judged by the clock. Default 10 minutes. */
  readonly lookAgainMs?: number
}

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
  /** Called with warnings about the settings in force: all of them after a reload, later each new one. Absent: not called. */
  readonly warn?: (warnings: readonly Problem[]) => void
}

/** Watches the files of these settings, and those of each later version that is taken over. */
export async function watchSettings(
  given: SettingsArguments,
  first: Settings,
  shell: Shell,
  times: WatchTimes = {},
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
  let warned = settings.warnings
  let failed: readonly string[] = []
  const looking = setInterval(() => {
    inTurn(lookAgain).catch(onError)
  }, times.lookAgainMs ?? LOOK_AGAIN_MS).unref()

  function onError(error: unknown): void {
    app?.reloadFailed([messageOf(error)])
  }

  function startWatch() {
    return watchFiles(files, reload, { ...times, onError })
  }

  /** One after another: the watches of two versions may overlap for a moment. */
  function reload(): Promise<void> {
    hasNews = true
    return app === undefined ? Promise.resolve() : inTurn(reloadNow)
  }

  function inTurn(step: () => Promise<void>): Promise<void> {
    const own = turn.then(step)
    turn = own.catch(() => {})
    return own
  }

  /** Judges the files by the clock of now: reports what has come to an end, or soon will, and loads what has begun. */
  async function lookAgain(): Promise<void> {
    if (app === undefined || isClosed) return
    const result = await readNew()
    if ('problems' in result) return report(result.problems)
    if (failed.length > 0) return reloadNow()
    const before = warned.map(formatProblem)
    warned = result.warnings
    app.warn?.(warned.filter((warning) => !before.includes(formatProblem(warning))))
  }

  function report(problems: readonly Problem[]): void {
    const lines = problems.map(formatProblem)
    if (!isDeepStrictEqual(lines, failed)) app?.reloadFailed(lines)
    failed = lines
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
    if ('problems' in result) {
      failed = []
      return report(result.problems)
    }
    app.reload(result.config, result.materials, result.waiting, result.files)
    failed = []
    warned = result.warnings
    app.warn?.(warned)
  }

  return {
    settings,
    follow: async (follower) => {
      app = follower
      if (hasNews) await reload()
    },
    close: () => {
      isClosed = true
      clearInterval(looking)
      watch.close()
    },
  }
}

function filesToWatch(given: SettingsArguments, config: Config): readonly string[] {
  const named = filesOf(config).map((file) => file.path)
  return given.config === undefined ? named : [given.config, ...named]
}
