// The part of the admin port that changes something: revocations, and refresh tokens that are handed in. Both go by the admin
// token, and both are audited.
import type { IncomingMessage } from 'node:http'
import type { Answer } from '../admin/answer.ts'
import { createAuthenticator } from '../admin/authenticate.ts'
import { createRefreshTokenApi, type RefreshTokenApiParts } from '../admin/refresh-token-api.ts'
import { createRevocationApi } from '../admin/revocation-api.ts'
import type { Config } from '../config/options.ts'
import type { Clock } from '../model/clock.ts'
import type { Revocations } from '../revocation/revocations.ts'
import type { Log } from '../telemetry/log.ts'
import type { Materials } from './materials.ts'
import { issuerNames, longestLifetimeSeconds, longestSessionSeconds } from './revocations.ts'

export interface AdminApiParts {
  /** Settings and files as they are now: they may change while the process lives. */
  readonly config: () => Config
  readonly materials: () => Materials
  readonly revocations: Revocations
  readonly keepRefreshToken: RefreshTokenApiParts['keep']
  readonly clock: Clock
  readonly log: Log
}

/** Makes the function that answers what is asked below its paths, or nothing for all others. */
export function buildAdminApi(
  parts: AdminApiParts,
): (request: IncomingMessage, url: URL) => Promise<Answer | undefined> {
  const { config, materials, revocations, clock, log } = parts
  // Who took what back is written whatever the level, save where everything is silent.
  const auditLog = log.level === 'silent' ? log : log.child({}, { level: 'info' })
  const isGuarded = materials().adminToken !== undefined
  const authenticate = isGuarded ? createAuthenticator(() => materials().adminToken ?? '', clock) : undefined
  const revocationApi = createRevocationApi({
    revocations,
    authenticate,
    clock,
    maxLifetimeSeconds: () => longestLifetimeSeconds(config()),
    maxSessionSeconds: () => longestSessionSeconds(config()),
    issuers: () => issuerNames(config()),
    audit: (action, rule) => auditLog.info({ audit: action, ...rule }, action === 'revoke' ? 'Revoked' : 'Lifted'),
  })
  const refreshTokenApi = createRefreshTokenApi({
    authenticate,
    keep: parts.keepRefreshToken,
    audit: (actor) => auditLog.info({ audit: 'refresh_token', actor }, 'Refresh token kept'),
  })
  return async (request, url) => (await revocationApi(request, url)) ?? refreshTokenApi(request, url)
}
