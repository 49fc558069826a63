// The admin port of several workers. The first process serves it: it runs no request of a client, so a worker that is stuck, or all
// of them, are told in time. What changes or reads the list of revocations goes on to a worker that answers.
import type { Server } from 'node:http'
import { type Answer, problem } from '../http/answer.ts'
import { type Authenticate, whenGranted } from '../servers/admin/authenticate.ts'
import type { AdminApi } from '../servers/admin/request.ts'
import { type AdminParts, createAdminServer } from '../servers/admin/server.ts'
import { expose } from '../telemetry/metrics/exposition.ts'
import { type AppProbeParts, createAppProbe } from '../upstream/probe.ts'
import { packRequest } from './relayed-request.ts'
import type { Supervisor } from './supervisor.ts'

export interface FirstAdminParts extends Pick<AdminParts, 'keySet' | 'onError'> {
  readonly probes: AppProbeParts['probes']
  readonly supervisor: Supervisor
  readonly authenticate: Authenticate
}

/** Makes the server; the caller listens and closes. */
export function createFirstAdmin({ supervisor, authenticate, probes, ...parts }: FirstAdminParts): Server {
  const { metricsType, metrics } = supervisor
  return createAdminServer({
    ...parts,
    appProbe: createAppProbe({ probes }),
    isAlive: supervisor.isAlive,
    checks: supervisor.checks,
    leave: supervisor.leave,
    metrics: (accept) => expose({ contentType: metricsType, metrics }, accept),
    api: relayTo(supervisor, authenticate),
  })
}

function relayTo(supervisor: Supervisor, authenticate: Authenticate): AdminApi {
  return async (request, url) => {
    if (!needsToken(url.pathname)) return undefined
    return whenGranted(request, authenticate, async () => {
      const packed = await packRequest(request, url)
      if (packed === undefined) return problem(413, 'Content too large', 'No route takes more than 16 MiB')
      try {
        return (await supervisor.relay(packed)) ?? problem(404, 'Not found', 'The settings have no such route')
      } catch (error) {
        return unanswered(error)
      }
    })
  }
}

/** The paths of the API; a worker says whether the settings have them. */
function needsToken(path: string): boolean {
  return /^\/(?:revocations(?:\/.*)?|oauth\/revoke|refresh-tokens)$/.test(path)
}

function unanswered(error: unknown): Answer {
  const why = error instanceof Error ? error.message : 'unknown'
  return problem(503, 'Not answered', `What was asked for is not certain: ${why}`, { 'retry-after': '1' })
}
