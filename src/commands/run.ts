// `sidegate run`: the gate, until it is told to stop. Settings and key files are taken over when they change; what cannot
// be taken over leaves the old ones in force.
import type { Argv } from 'yargs'
import { createApp } from '../app.ts'
import { filesOf } from '../config/files.ts'
import type { Config } from '../config/options.ts'
import { formatProblem } from '../config/problems.ts'
import { watchFiles } from '../config/watch.ts'
import { createLog } from '../telemetry/log.ts'
import { version } from '../version.ts'
import { readSettings, readSettingsAloud, type SettingsArguments, withSettingFlags } from './settings.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'

const STANDARD_OUTPUT = 1

export function runOptions<T>(argv: Argv<T>) {
  return withSettingFlags(argv)
}

/** Runs the gate. Answers when it has stopped: 0 after a signal, 1 where it could not start. */
export async function run(given: SettingsArguments, shell: Shell): Promise<number> {
  const settings = await readSettingsAloud(given, shell)
  if (settings === undefined) return ANSWER_IS_NO
  const { config, materials } = settings
  const log = createLog(config.log, { isTerminal: shell.isTerminal, to: STANDARD_OUTPUT })
  const app = createApp({
    config,
    materials,
    log,
    clock: shell.clock,
    monotonic: () => performance.now(),
    fetch: globalThis.fetch,
    version,
  })
  // Before the start, so that a signal meanwhile is not lost.
  const stopped = shell.untilStopped()
  try {
    await app.start()
  } catch (error) {
    shell.complain(startFailure(error, config))
    return ANSWER_IS_NO
  }
  const watch = await watchSettings(given, config, shell, app)
  const signal = await stopped
  log.info({ signal }, 'Told to stop')
  watch.close()
  await app.stop()
  log.flush()
  return DONE
}

/** Watches the settings file and the files it names; the set of files is the one of the last settings taken over. */
async function watchSettings(
  given: SettingsArguments,
  config: Config,
  shell: Shell,
  app: ReturnType<typeof createApp>,
): Promise<{ close: () => void }> {
  const report = (error: unknown) => app.reloadFailed([error instanceof Error ? error.message : String(error)])
  const reload = async () => {
    const result = await readSettings(given, shell)
    if ('problems' in result) return app.reloadFailed(result.problems.map(formatProblem))
    app.reload(result.config, result.materials)
    watch.close()
    watch = await watchFiles(filesToWatch(given, result.config), reload, { onError: report })
  }
  let watch = await watchFiles(filesToWatch(given, config), reload, { onError: report })
  return { close: () => watch.close() }
}

function filesToWatch(given: SettingsArguments, config: Config): readonly string[] {
  const named = filesOf(config).map((file) => file.path)
  return given.config === undefined ? named : [given.config, ...named]
}

function startFailure(error: unknown, config: Config): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  const { address, port } = error as { address?: string; port?: number }
  const place = `${address}:${port}`
  const setting = port === config.listen.port ? 'listen' : 'admin.listen'
  if (code === 'EADDRINUSE') return `Cannot listen on "${place}": another process does already; change "${setting}"`
  if (code === 'EACCES')
    return `Cannot listen on "${place}": permission is denied; use a port above 1023 in "${setting}"`
  if (code === 'EADDRNOTAVAIL')
    return `Cannot listen on "${place}": this machine has no such address; change "${setting}"`
  return `Cannot start: ${error instanceof Error ? error.message : String(error)}`
}
