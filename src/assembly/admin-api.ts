// The part of the admin port that changes something: revocations, and refresh tokens that are handed in. Both go by the admin
// token, and both are audited.

import type { Config } from '../config/options.ts'
import { whyUnusable } from '../model/admin-token.ts'
import type { Clock } from '../model/clock.ts'
import type { Revocations } from '../revocation/revocations.ts'
import { type Authenticate, createAuthenticator } from '../servers/admin/authenticate.ts'
import { createRefreshTokenApi, type RefreshTokenApiParts } from '../servers/admin/refresh-token-api.ts'
import type { AdminApi } from '../servers/admin/request.ts'
import { createRevocationApi, type RevocationApiParts } from '../servers/admin/revocation-api.ts'
import type { Log } from '../telemetry/logs/log.ts'
import { exchangedSessionSeconds, issuerNames, longestLifetimeSeconds, longestSessionSeconds } from './revocations.ts'
import type { Materials } from './settings/file-contents.ts'

export interface AdminApiParts {
  /** Settings and files as they are now: they may change while the process lives. */
  readonly config: () => Config
  readonly materials: () => Materials
  readonly revocations: Revocations
  readonly keepRefreshToken: RefreshTokenApiParts['keep']
  readonly identify: RevocationApiParts['identify']
  readonly clock: Clock
  readonly log: Log
}

/** Makes the function that answers what is asked below its paths, or nothing for all others. */
export function buildAdminApi(parts: AdminApiParts): AdminApi {
  const { config, materials, revocations, clock, log } = parts
  // Who took what back is written whatever the level, save where everything is silent.
  const auditLog = log.level === 'silent' ? log : log.child({}, { level: 'info' })
  const authenticate = buildAuthenticator({ token: () => materials().adminToken, clock, log })
  const revocationApi = createRevocationApi({
    revocations,
    authenticate,
    maxLifetimeSeconds: () => longestLifetimeSeconds(config()),
    identify: parts.identify,
    maxSessionSeconds: () => longestSessionSeconds(config()),
    exchangedSessionSeconds: () => exchangedSessionSeconds(config()),
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

/** Judges the admin token, and logs where one is given that opens nothing. */
export function buildAuthenticator(parts: {
  readonly token: () => string | undefined
  readonly clock: Clock
  readonly log: Pick<Log, 'error'>
}): Authenticate {
  const onUnusable = (why: string) => report(parts.log, why)
  return createAuthenticator({ token: parts.token, clock: parts.clock, onUnusable })
}

/** Logs where this admin token opens nothing; with none there is nothing to say. */
export function reportUnusableToken(log: Pick<Log, 'error'>, token: string | undefined): void {
  const why = token === undefined ? undefined : whyUnusable(token)
  if (why !== undefined) report(log, why)
}

function report(log: Pick<Log, 'error'>, why: string): void {
  log.error({ setting: 'admin.tokenFile' }, `Cannot use the admin token: ${why}. All that needs it answers 404`)
}
