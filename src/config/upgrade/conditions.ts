// When does a change of behaviour reach the gate with these settings? Conditions that the table of changes is made of.
import { whyUnusable } from '../../model/admin-token.ts'
import { itemsAt, valueAt } from '../sources/written.ts'
import type { SettingPath, UpgradeChange, WrittenSettings } from './change.ts'

type Find = UpgradeChange['find']
type Condition = (written: WrittenSettings) => boolean

export const ALLOWED_HEADERS: SettingPath = ['forward', 'allowHeaders']
const PROXIES: SettingPath = ['forward', 'trustedProxies']
const REDIS: SettingPath = ['revocation', 'redis']
const ADMIN_TOKEN: SettingPath = ['admin', 'tokenFile']

/** The setting itself, where it is not written and the condition holds. */
export function unless(path: SettingPath, holds: Condition = () => true): Find {
  return (written) => (valueAt(written.settings, path) === undefined && holds(written) ? [path] : [])
}

export function eachIssuerWithout(name: string): Find {
  return function* ({ settings }) {
    for (const index of itemsAt(settings, ['issuers']).keys()) {
      const path = ['issuers', index, name]
      if (valueAt(settings, path) === undefined) yield path
    }
  }
}

/** By the old default as well: the cookie "session". */
export function readsCookie({ settings }: WrittenSettings): boolean {
  const path = ['tokens', 'sources']
  if (valueAt(settings, path) === undefined) return true
  return itemsAt(settings, path).some((source) => valueAt(source, ['cookie']) !== undefined)
}

export function refreshes({ settings }: WrittenSettings): boolean {
  return valueAt(settings, ['refresh']) !== undefined
}

export function* signsSuccessors({ settings }: WrittenSettings): Generator<SettingPath> {
  for (const path of [
    ['refresh', 'key'],
    ['refresh', 'keys'],
  ])
    if (valueAt(settings, path) !== undefined) yield path
}

export function usesRefreshTokens({ settings }: WrittenSettings): boolean {
  return valueAt(settings, ['refresh', 'exchange', 'grant']) === 'refresh-token'
}

/** A file that lets single names through knows of the rule. */
export function allowsNoOddName({ settings }: WrittenSettings): boolean {
  return !itemsAt(settings, ALLOWED_HEADERS).some((name) => /[^A-Za-z0-9-]/.test(String(name)))
}

export function trustsProxies({ settings }: WrittenSettings): readonly SettingPath[] {
  return itemsAt(settings, PROXIES).length > 0 ? [PROXIES] : []
}

/** The user of a URL that is not the one that Redis has by itself. */
export function namesRedisUser({ settings }: WrittenSettings): readonly SettingPath[] {
  const redis = valueAt(settings, REDIS)
  const user = typeof redis === 'string' ? /\/\/([^@/:]+)(?::[^@/]*)?@/.exec(redis)?.[1] : undefined
  return user === undefined || user === 'default' ? [] : [REDIS]
}

/** A token that is known to be long enough is none. */
export function weakAdminToken({ settings, textOf }: WrittenSettings): readonly SettingPath[] {
  const file = valueAt(settings, ADMIN_TOKEN)
  if (typeof file !== 'string') return []
  const token = textOf(file)
  return token !== undefined && whyUnusable(token) === undefined ? [] : [ADMIN_TOKEN]
}

export function servesTls({ settings }: WrittenSettings): readonly SettingPath[] {
  return valueAt(settings, ['tls']) === undefined ? [] : [['tls']]
}

/** Whether anything is fetched from an identity provider. */
export function asksOutside({ settings }: WrittenSettings): boolean {
  if (valueAt(settings, ['refresh', 'exchange']) !== undefined) return true
  return itemsAt(settings, ['issuers']).some((issuer) =>
    ['discovery', 'jwksUri'].some((name) => valueAt(issuer, ['keys', name]) !== undefined),
  )
}

/** Where the variables are not known, there may be one. */
export function mayHaveProxy({ environment }: WrittenSettings): boolean {
  return environment === undefined || Object.keys(environment).some((name) => /^https?_proxy$/i.test(name))
}

export function hasAppWithTls({ settings }: WrittenSettings): boolean {
  const upstream = valueAt(settings, ['upstream'])
  return typeof upstream === 'string' && /^https:/i.test(upstream)
}
