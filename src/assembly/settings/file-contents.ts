// What do the files that the settings name really hold? Read before anything starts, and again on each reload: a key that
// cannot be used is a problem of the settings, found together with all others.

import type { Config, IssuerConfig } from '../../config/options.ts'
import type { Problem } from '../../config/problems.ts'
import {
  filesOf,
  type ReadFile,
  readSettingFile,
  readSettingText,
  type SettingFile,
} from '../../config/sources/files.ts'
import { CertificateError, checkPair, readAuthority, readListenerKey } from '../../http/listener/certificates.ts'
import type { ListenerCertificates } from '../../http/listener/listener.ts'
import { readRevokedCertificates } from '../../http/listener/revoked-certificates.ts'
import { whyUnusable } from '../../model/admin-token.ts'
import type { Clock } from '../../model/clock.ts'
import { messageOf } from '../../model/error.ts'
import { readStoreKeys, StoreKeyError } from '../../refresh/identity-provider/store-keys.ts'
import { KeyError, type KeySet, readKeySet, readPublicKey, readSecret } from '../../token/keys/key-set.ts'
import { createAssertionSigner, type SignAssertion } from '../../token/signing/mint.ts'
import { createOwnKeys, type OwnKey, type OwnKeys } from '../../token/signing/own-keys.ts'
import { describeShared, readOwnKey, signingSettings } from '../signing-keys.ts'

/** Keys and secrets, ready for use. */
export interface Materials {
  /** What the listener shows to clients; undefined: plain HTTP. */
  readonly listenerCertificates: ListenerCertificates | undefined
  /** Certificates as PEM that the connection to the app trusts. */
  readonly appAuthority: string | undefined
  readonly adminToken: string | undefined
  readonly redisPassword: string | undefined
  readonly sentinelPassword: string | undefined
  /** Certificates as PEM that the connection to Redis trusts. */
  readonly redisCertificates: string | undefined
  /** Keys that came from files, by issuer; issuers whose keys are fetched are not in it. */
  readonly issuerKeys: ReadonlyMap<string, KeySet>
  /** The keys of the refresh; undefined where nothing is signed here. */
  readonly ownKeys: OwnKeys | undefined
  readonly clientSecret: string | undefined
  /** Signs what the client proves itself with at the token endpoint. */
  readonly signAssertion: SignAssertion | undefined
  /** What seals refresh tokens; the first of them, all open. */
  readonly storeKeys: readonly Uint8Array[] | undefined
  /** Certificates as PEM that fetching keys trusts, by issuer; issuers for which those of the system do are not in it. */
  readonly issuerAuthorities: ReadonlyMap<string, string>
  /** Certificates as PEM that the exchange of tokens trusts. */
  readonly exchangeAuthority: string | undefined
}

export type MaterialsResult =
  | { readonly materials: Materials; readonly warnings: readonly Problem[] }
  | { readonly problems: readonly Problem[] }

/** Reads every file that the settings name. Answers all problems at once; no message holds a byte of a file. */
export async function readMaterials(
  config: Config,
  clock: Clock = Date.now,
  readFile: ReadFile = readSettingFile,
): Promise<MaterialsResult> {
  const problems: Problem[] = []
  const warnings: Problem[] = []
  const read = async <T>(
    file: SettingFile | undefined,
    use: (file: SettingFile) => Promise<T>,
  ): Promise<T | undefined> => {
    if (file === undefined) return undefined
    try {
      return await use(file)
    } catch (error) {
      problems.push({ where: file.setting, message: messageFor(error, file) })
      return undefined
    }
  }
  const files = new Map(filesOf(config).map((file) => [file.setting, file]))
  const textOf = (setting: string) => read(files.get(setting), (file) => readSettingText(file.path, readFile))
  const authorityOf = (setting: string) =>
    read(files.get(setting), async ({ path }) => readAuthority(await readSettingText(path, readFile), clock()))

  async function readRevoked(authority: string | undefined): Promise<readonly string[] | undefined> {
    if (authority === undefined) return undefined
    return await read(files.get('tls.clientCrlFile'), async ({ path, setting }) => {
      const revoked = readRevokedCertificates(await readSettingText(path, readFile), authority, clock())
      warnings.push(...revoked.warnings.map((message) => ({ where: setting, message })))
      return revoked.lists
    })
  }

  async function readListener(): Promise<ListenerCertificates | undefined> {
    const certificate = await textOf('tls.certFile')
    const privateKey = await read(files.get('tls.keyFile'), async ({ path }) =>
      readListenerKey(await readSettingText(path, readFile)),
    )
    const clientAuthority = await authorityOf('tls.clientCaFile')
    const revokedClients = await readRevoked(clientAuthority)
    if (certificate === undefined || privateKey === undefined) return undefined
    return await read(files.get('tls.certFile'), async ({ setting }) => {
      const warning = checkPair(certificate, privateKey, clock())
      if (warning !== undefined) warnings.push({ where: setting, message: warning })
      const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
      const { minVersion } = config.tls ?? {}
      return { certificate, privateKey: pem, clientAuthority, revokedClients, minVersion }
    })
  }

  const issuerKeys = new Map<string, KeySet>()
  const issuerAuthorities = new Map<string, string>()
  for (const [index, issuer] of config.issuers.entries()) {
    const at = `issuers[${index}].keys`
    const authority = await authorityOf(`${at}.caFile`)
    if (authority !== undefined) issuerAuthorities.set(issuer.issuer, authority)
    const file = files.get(`${at}.jwksFile`) ?? files.get(`${at}.publicKeyFile`) ?? files.get(`${at}.secretFile`)
    const keys = await read(file, async ({ path }) => readIssuerKeys(issuer, await readFile(path)))
    if (keys === undefined || file === undefined) continue
    issuerKeys.set(issuer.issuer, keys)
    warnings.push(...rejectionWarnings(keys, file.setting))
  }

  async function readOwnKeys(): Promise<OwnKeys | undefined> {
    const keys: OwnKey[] = []
    for (const setting of signingSettings(config)) {
      const file = files.get(`${setting.at}.${setting.kind}`)
      const key = await read(file, async ({ path }) => readOwnKey(setting, await readFile(path)))
      if (key !== undefined) keys.push(key)
    }
    if (keys.length === 0) return undefined
    const own = createOwnKeys(keys)
    if (own.signingAt(clock() / 1000) === undefined)
      problems.push({ where: 'refresh.keys', message: 'No key signs yet', hint: 'give the first one "active: true"' })
    return own
  }

  const materials = {
    listenerCertificates: await readListener(),
    appAuthority: await authorityOf('upstreamTls.caFile'),
    adminToken: await textOf('admin.tokenFile'),
    redisPassword: await textOf('revocation.passwordFile'),
    sentinelPassword: await textOf('revocation.sentinelPasswordFile'),
    redisCertificates: await textOf('revocation.caFile'),
    issuerKeys,
    ownKeys: await readOwnKeys(),
    clientSecret: await textOf('refresh.exchange.clientSecretFile'),
    signAssertion: await read(files.get('refresh.exchange.clientKeyFile'), async ({ path }) =>
      readClientKey(config, await readSettingText(path, readFile)),
    ),
    storeKeys: await read(files.get('refresh.exchange.storeKeyFile'), async ({ path }) =>
      readStoreKeys(await readSettingText(path, readFile)),
    ),
    issuerAuthorities,
    exchangeAuthority: await authorityOf('refresh.exchange.caFile'),
  }
  warnings.push(...sharedKeyWarnings(config, materials), ...adminTokenWarnings(materials.adminToken))
  return problems.length > 0 ? { problems } : { materials, warnings }
}

function readClientKey({ refresh }: Config, text: string): SignAssertion {
  const { clientKeyAlgorithm = '', clientKeyId } = refresh?.exchange ?? {}
  return createAssertionSigner(text, clientKeyAlgorithm, clientKeyId)
}

function readIssuerKeys(issuer: IssuerConfig, bytes: Buffer): KeySet {
  if ('secretFile' in issuer.keys) return readSecret(bytes, issuer.algorithms)
  const text = bytes.toString('utf8')
  const set = 'jwksFile' in issuer.keys ? readKeySet(text) : readPublicKey(text)
  if (set.keys.length === 0) throw new KeyError(`it holds no usable key${rejectionsOf(set)}`)
  if (!set.keys.some((key) => key.algorithms.some((algorithm) => isAllowed(issuer, algorithm))))
    throw new KeyError(`none of its keys fits the allowed algorithms ${issuer.algorithms.join(', ')}`)
  return set
}

function rejectionWarnings({ rejected }: KeySet, where: string): readonly Problem[] {
  return rejected
    .filter(({ isForOtherUse }) => !isForOtherUse)
    .map(({ keyId, why }) => ({ where, message: `Ignored a key${keyId === undefined ? '' : ` "${keyId}"`}: ${why}` }))
}

/** Keys of files that have a name, or themselves, in common with keys of the gate. */
function sharedKeyWarnings(
  config: Config,
  { ownKeys, issuerKeys }: Pick<Materials, 'ownKeys' | 'issuerKeys'>,
): readonly Problem[] {
  if (ownKeys === undefined) return []
  const where = config.refresh?.key === undefined ? 'refresh.keys' : 'refresh.key'
  return config.issuers
    .filter(({ refresh }) => refresh)
    .flatMap(({ issuer }) => describeShared(ownKeys, issuerKeys.get(issuer)?.keys ?? []))
    .map((message) => ({ where, message }))
}

function adminTokenWarnings(token: string | undefined): readonly Problem[] {
  const why = token === undefined ? undefined : whyUnusable(token)
  if (why === undefined) return []
  return [{ where: 'admin.tokenFile', message: `Cannot use the admin token: ${why}. All that needs it answers 404` }]
}

function isAllowed(issuer: IssuerConfig, algorithm: string): boolean {
  return (issuer.algorithms as readonly string[]).includes(algorithm)
}

function rejectionsOf(set: KeySet): string {
  const whys = set.rejected.map(({ keyId, why }) => (keyId === undefined ? why : `"${keyId}": ${why}`))
  return whys.length === 0 ? '' : ` (${whys.slice(0, 5).join('; ')})`
}

function messageFor(error: unknown, file: SettingFile): string {
  if (error instanceof KeyError || error instanceof CertificateError || error instanceof StoreKeyError)
    return `Cannot use ${JSON.stringify(file.path)} as ${file.purpose}: ${error.message}`
  return messageOf(error)
}
