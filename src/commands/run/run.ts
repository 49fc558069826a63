// `sidegate run`: the gate, until it is told to stop. Settings and key files are taken over when they change; what cannot
// be taken over leaves the old ones in force.
import type { Argv } from 'yargs'
import { createSidegate, type Sidegate } from '../../assembly/composition-root.ts'
import type { Materials } from '../../assembly/settings/file-contents.ts'
import { logWarnings, type SettingsArguments } from '../../assembly/settings/read-settings.ts'
import type { Config } from '../../config/options.ts'
import { formatProblems, type Problem } from '../../config/problems.ts'
import { createGarbageCollectors } from '../../runtime/garbage.ts'
import { version } from '../../runtime/version.ts'
import { logConsole } from '../../telemetry/logs/console-lines.ts'
import { createLog, type Log } from '../../telemetry/logs/log.ts'
import { createLogOutput } from '../../telemetry/logs/log-output.ts'
import { type Joined, joinWorkers, type Siblings } from '../../workers/cluster-member.ts'
import { readSettingsAloud, withSettingFlags } from '../setting-flags.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'
import { runWorkers } from './run-workers.ts'
import { startFailure } from './start-failure.ts'
import { type WatchedSettings, watchSettings } from './watched-settings.ts'
import { followShared } from './worker-settings.ts'

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
  if (joined !== undefined) return runWorker({ given, joined }, shell)
  const first = await readSettingsAloud(given, shell, { areWarningsLogged: true })
  if (first === undefined) return ANSWER_IS_NO
  const watch = await watchSettings(given, first, shell)
  return watch.settings.config.workers > 1 ? runWorkers(watch, shell) : runAlone(watch, shell)
}

/** Runs one gate in this process. */
async function runAlone(watch: WatchedSettings, shell: Shell): Promise<number> {
  const { config, materials, warnings } = watch.settings
  return runGate({ config, materials, warnings }, shell, async (app, log) => {
    await watch.follow({ ...app, warn: (found) => logWarnings(log, found) })
    return { stopped: undefined, close: watch.close }
  }).finally(watch.close)
}

interface GateGiven {
  readonly config: Config
  readonly materials: Materials
  readonly warnings: readonly Problem[]
  readonly joined?: { readonly number: number; readonly siblings: Siblings }
}

interface Followed {
  /** Another reason to stop than a signal. */
  readonly stopped: Promise<void> | undefined
  readonly close: () => void
}

/** Starts a gate, calls `follow` when it serves, and answers when it has stopped. */
async function runGate(
  { config, materials, warnings, joined }: GateGiven,
  shell: Shell,
  follow: (app: Sidegate, log: Log) => Promise<Followed>,
): Promise<number> {
  const logOutput = createLogOutput(shell.output)
  const everyLine = createLog(config.log, { isTerminal: shell.isTerminal, to: logOutput })
  const log = joined === undefined ? everyLine : everyLine.child({ worker: joined.number })
  const restoreConsole = logConsole(console, log)
  const garbage = createGarbageCollectors()
  logWarnings(log, warnings)
  if (garbage === undefined) log.warn('Cannot collect garbage early: long bodies take more memory')
  const app = createSidegate({
    config,
    materials,
    log,
    logOutput,
    clock: shell.clock,
    monotonic: () => performance.now(),
    environment: shell.environment,
    version,
    garbage,
    siblings: joined?.siblings,
  })
  // Before the start, so that a signal meanwhile is not lost.
  const signalled = shell.untilStopped()
  try {
    await app.start()
  } catch (error) {
    restoreConsole()
    shell.complain(startFailure(error, config))
    return ANSWER_IS_NO
  }
  const { stopped, close } = await follow(app, log)
  const signal = await Promise.race([signalled, ...(stopped === undefined ? [] : [stopped])])
  log.info({ signal }, 'Told to stop')
  close()
  await app.stop()
  restoreConsole()
  logOutput.flush()
  return DONE
}

/** Runs one of several gates, by the settings that the first process has read. */
async function runWorker(
  { given, joined }: { readonly given: SettingsArguments; readonly joined: Joined },
  shell: Shell,
): Promise<number> {
  const shared = await followShared(given, joined, shell)
  if ('problems' in shared) {
    for (const line of formatProblems(shared.problems)) shell.complain(line)
    return ANSWER_IS_NO
  }
  const { config, materials, admin } = shared
  const siblings = { answer: joined.answer, admin }
  // The first process has told the warnings
  const one = { config, materials, warnings: [], joined: { number: joined.number, siblings } }
  return runGate(one, shell, async (app) => {
    joined.running()
    shared.follow(app)
    return { stopped: joined.toldToStop, close: () => {} }
  })
}
