// `sidegate run`: the gate, until it is told to stop. Settings and key files are taken over when they change; what cannot
// be taken over leaves the old ones in force.
import type { Argv } from 'yargs'
import { createApp } from '../app.ts'
import { createGarbageCollectors } from '../assembly/garbage.ts'
import type { Config } from '../config/options.ts'
import { logConsole } from '../telemetry/console-lines.ts'
import { createLog } from '../telemetry/log.ts'
import { createLogOutput } from '../telemetry/log-output.ts'
import { version } from '../version.ts'
import { type Joined, joinWorkers } from '../workers/joined.ts'
import { shareOf } from '../workers/share.ts'
import { createSupervisor } from '../workers/supervisor.ts'
import { logWarnings, readSettingsAloud, type Settings, type SettingsArguments, withSettingFlags } from './settings.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'
import { watchSettings } from './watched-settings.ts'

export function runOptions<T>(argv: Argv<T>) {
  return withSettingFlags(argv)
}

/**
 * The command line of a container, which needs no library to be read: `run --config FILE`, or `run` with everything in variables.
 * Nothing for every other one. yargs brings tables of Unicode for the width of its help: 12 MiB in every pod.
 */
export function plainRun(given: readonly string[]): SettingsArguments | undefined {
  const [command, flag, file, ...more] = given
  if (command !== 'run' || more.length > 0) return undefined
  if (flag === undefined) return {}
  return flag === '--config' && file !== undefined && !file.startsWith('-') ? { config: file } : undefined
}

/** Runs the gate. Answers when it has stopped: 0 after a signal, 1 where it could not start. */
export async function run(given: SettingsArguments, shell: Shell): Promise<number> {
  const joined = joinWorkers()
  const first = await readSettingsAloud(given, shell, { areWarningsLogged: true })
  if (first === undefined) return ANSWER_IS_NO
  if (first.config.workers > 1 && joined === undefined) return runWorkers(first, shell)
  return runGate({ given, first, joined }, shell)
}

/** Runs several gates behind the same ports, as processes of their own. */
async function runWorkers({ config, warnings }: Settings, shell: Shell): Promise<number> {
  const { isTerminal } = shell
  const logOutput = createLogOutput(shell.output)
  const log = createLog(config.log, { isTerminal, to: logOutput })
  logWarnings(log, warnings)
  const parts = { count: config.workers, log, logOutput, isTerminal, monotonic: () => performance.now() }
  const supervisor = createSupervisor(parts)
  const stopped = shell.untilStopped()
  const isStarted = await supervisor.start()
  if (isStarted) {
    // What only its start needed: from here on it hands over connections, and waits
    createGarbageCollectors()?.all()
    log.info({ signal: await stopped }, 'Told to stop')
    await supervisor.stop()
  }
  logOutput.flush()
  return isStarted ? DONE : ANSWER_IS_NO
}

interface GateGiven {
  readonly given: SettingsArguments
  readonly first: Settings
  /** The first process, where this is one of its workers. */
  readonly joined: Joined | undefined
}

async function runGate({ given, first, joined }: GateGiven, shell: Shell): Promise<number> {
  const watch = await watchSettings(given, first, shell)
  const { materials } = watch.settings
  const ownPart = (whole: Config) => (joined === undefined ? whole : shareOf(whole, first.config.workers))
  const config = ownPart(watch.settings.config)
  const logOutput = createLogOutput(shell.output)
  const everyLine = createLog(config.log, { isTerminal: shell.isTerminal, to: logOutput })
  const log = joined === undefined ? everyLine : everyLine.child({ worker: joined.number })
  const restoreConsole = logConsole(console, log)
  const garbage = createGarbageCollectors()
  // Those of the start are told by the first process
  if (joined === undefined) logWarnings(log, watch.settings.warnings)
  if (garbage === undefined) log.warn('Cannot collect garbage early: long bodies take more memory')
  const app = createApp({
    config,
    materials,
    log,
    logOutput,
    clock: shell.clock,
    monotonic: () => performance.now(),
    environment: shell.environment,
    version,
    garbage,
    siblings: joined,
  })
  // Before the start, so that a signal meanwhile is not lost.
  const stopped = shell.untilStopped()
  try {
    await app.start()
  } catch (error) {
    watch.close()
    restoreConsole()
    shell.complain(startFailure(error, config))
    return ANSWER_IS_NO
  }
  joined?.running()
  await watch.follow({
    reload: (next, nextMaterials) => app.reload(ownPart(next), nextMaterials),
    reloadFailed: app.reloadFailed,
    warn: (warnings) => logWarnings(log, warnings),
  })
  const signal = await Promise.race([stopped, ...(joined === undefined ? [] : [joined.toldToStop])])
  log.info({ signal }, 'Told to stop')
  watch.close()
  await app.stop()
  restoreConsole()
  logOutput.flush()
  return DONE
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
