// The first process of several: it reads the settings for all of them, serves the admin port, and sees to it that the workers run.
import { buildAuthenticator, reportUnusableToken } from '../../assembly/admin-api.ts'
import { logWarnings } from '../../assembly/settings/read-settings.ts'
import { closeServer, listenOn } from '../../http/listener/listen.ts'
import { createGarbageCollectors } from '../../runtime/garbage.ts'
import { createLog } from '../../telemetry/logs/log.ts'
import { createLogOutput } from '../../telemetry/logs/log-output.ts'
import { createFirstAdmin } from '../../workers/admin-port.ts'
import type { SharedSettings } from '../../workers/messages.ts'
import { createSupervisor } from '../../workers/supervisor.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'
import { startFailure } from './start-failure.ts'
import type { WatchedSettings } from './watched-settings.ts'

/** Runs several gates behind the same ports, as processes of their own. Answers as `run` does. */
export async function runWorkers(watch: WatchedSettings, shell: Shell): Promise<number> {
  const { isTerminal, clock } = shell
  const { config, files } = watch.settings
  let { materials, config: current } = watch.settings
  const logOutput = createLogOutput(shell.output)
  const log = createLog(config.log, { isTerminal, to: logOutput })
  logWarnings(log, watch.settings.warnings)

  let shared: Omit<SharedSettings, 'admin'> = {
    ...{ version: 1, readings: 1, problems: [] },
    ...{ start: files, latest: files, readAtMs: clock() },
  }
  let settings = (): SharedSettings => {
    throw new Error('The admin port does not listen yet')
  }
  const monotonic = () => performance.now()
  const parts = { count: config.workers, log, logOutput, isTerminal, monotonic, settings: () => settings() }
  const supervisor = createSupervisor(parts)
  const admin = createFirstAdmin({
    supervisor,
    authenticate: buildAuthenticator({ token: () => materials.adminToken, clock, log }),
    probes: () => current.admin.appProbes,
    keySet: () => materials.ownKeys?.publicSet,
    onError: (error) => log.error({ err: error }, 'Cannot answer on the admin port'),
  })
  reportUnusableToken(log, materials.adminToken)
  const stopped = shell.untilStopped()
  try {
    const address = await listenOn(admin, config.admin.listen)
    settings = () => ({ ...shared, admin: address })
  } catch (error) {
    watch.close()
    shell.complain(startFailure(error, config))
    return ANSWER_IS_NO
  }
  const isStarted = await supervisor.start()
  if (isStarted) {
    await watch.follow({
      reload: (next, nextMaterials, _waiting, latest) => {
        current = next
        materials = nextMaterials
        shared = { ...shared, latest, readAtMs: clock(), problems: [] }
        shared = { ...shared, version: shared.version + 1, readings: shared.readings + 1 }
        supervisor.tellNews()
      },
      reloadFailed: (problems) => {
        shared = { ...shared, problems, readings: shared.readings + 1 }
        supervisor.tellNews()
      },
      warn: (warnings) => logWarnings(log, warnings),
    })
    // What only its start needed: from here on it hands over connections, and waits
    createGarbageCollectors()?.all()
    log.info({ signal: await stopped }, 'Told to stop')
    watch.close()
    await supervisor.stop()
  }
  watch.close()
  await closeServer(admin)
  logOutput.flush()
  return isStarted ? DONE : ANSWER_IS_NO
}
