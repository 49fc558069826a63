// `sidegate token mint` and `sidegate token inspect`: a development issuer, and a look into a token that nobody verified.

import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { Argv } from 'yargs'
import type { SettingsArguments } from '../../assembly/settings/read-settings.ts'
import { parseDuration } from '../../config/value-types/durations.ts'
import { messageOf } from '../../model/error.ts'
import { isRefusal } from '../../model/refusal.ts'
import { parseJsonObject } from '../../token/json.ts'
import { readToken } from '../../token/read.ts'
import { createPrivateKeySigner, createSecretSigner, type Signer } from '../../token/signing/mint.ts'
import { readSettingsAloud, withConfigFlag } from '../setting-flags.ts'
import { ANSWER_IS_NO, argumentOrInput, DONE, type Shell, UsageError } from '../shell.ts'
import { describeTimes } from './describe-times.ts'
import { readTokenArgument } from './pasted-token.ts'

export interface MintArguments extends SettingsArguments {
  readonly subject?: string | undefined
  readonly audience?: readonly string[] | undefined
  readonly issuer?: string | undefined
  readonly lifetime: string
  readonly claim?: readonly string[] | undefined
  readonly key?: string | undefined
  readonly algorithm?: string | undefined
  readonly keyId?: string | undefined
  readonly type?: string | undefined
}

export function mintOptions<T>(argv: Argv<T>) {
  return withConfigFlag(argv)
    .option('subject', { type: 'string', requiresArg: true, description: 'The claim "sub"' })
    .option('audience', { type: 'string', array: true, description: 'The claim "aud"; default: of the first issuer' })
    .option('issuer', { type: 'string', requiresArg: true, description: 'The claim "iss"; default: the first issuer' })
    .option('lifetime', { type: 'string', requiresArg: true, default: '5m', description: 'From now to "exp"' })
    .option('claim', {
      type: 'string',
      array: true,
      description: 'Another claim, as name=value; JSON where it is JSON',
    })
    .option('key', { type: 'string', requiresArg: true, description: 'A private key (PEM, JWK) or an HS* secret' })
    .option('algorithm', { type: 'string', requiresArg: true, description: 'With --key; default: ES256' })
    .option('key-id', { type: 'string', requiresArg: true, description: 'With --key: the "kid"' })
    .option('type', { type: 'string', requiresArg: true, description: 'The header "typ"; default: JWT' })
    .example('$0 token mint -c sidegate.yaml --subject alice --claim scope="read write"', 'By the refresh key')
}

const SECRET_ALGORITHMS: readonly string[] = ['HS256', 'HS384', 'HS512']

/** Prints a signed token. For development: whoever has the key can be anybody. */
export async function mint(given: MintArguments, shell: Shell): Promise<number> {
  const settings = given.config === undefined ? undefined : await readSettingsAloud(given, shell)
  if (given.config !== undefined && settings === undefined) return ANSWER_IS_NO
  const signer =
    given.key === undefined
      ? settings?.materials.ownKeys?.signingAt(shell.clock() / 1000)
      : await readSigner(given.key, given)
  if (signer === undefined) throw new UsageError('Give --key, or --config with a refresh.key in it')
  const [first] = settings?.config.issuers ?? []
  const issuer = given.issuer ?? first?.issuer
  if (issuer === undefined) throw new UsageError('Give --issuer, or --config with an issuer in it')
  const lifetimeMs = parseDuration(given.lifetime)
  if (lifetimeMs === undefined) throw new UsageError(`--lifetime "${given.lifetime}" is no duration such as 5m`)
  const nowSeconds = Math.floor(shell.clock() / 1000)
  const claims = {
    iss: issuer,
    ...(given.subject === undefined ? {} : { sub: given.subject }),
    aud: given.audience ?? first?.audiences ?? [],
    iat: nowSeconds,
    exp: nowSeconds + Math.round(lifetimeMs / 1000),
    jti: randomUUID(),
    ...Object.fromEntries((given.claim ?? []).map(readClaim)),
  }
  shell.print(await signer.sign(claims, given.type ?? 'JWT'))
  return DONE
}

/** Prints what a token says, believing none of it. The signature is never printed. */
export async function inspect(given: { token: string; json: boolean }, shell: Shell): Promise<number> {
  const read = readTokenArgument(await argumentOrInput(given.token, shell))
  if ('problem' in read) {
    shell.complain(`Cannot read the token: ${read.problem}`)
    return ANSWER_IS_NO
  }
  const token = readToken(read.token)
  if (isRefusal(token)) {
    shell.complain(`The token is malformed: ${token.detail}`)
    return ANSWER_IS_NO
  }
  // As they stand there: what is judged has no null and no number in the place of a name
  const claims = parseJsonObject(token.payloadBytes)
  if (given.json) {
    shell.print(JSON.stringify({ header: token.header, claims }, null, 2))
    return DONE
  }
  shell.print(`header  ${JSON.stringify(token.header)}`)
  shell.print(`claims  ${JSON.stringify(claims, null, 2)}`)
  for (const line of describeTimes(token.payload, shell.clock() / 1000)) shell.print(line)
  shell.print('The signature was not verified; "sidegate explain" does that')
  return DONE
}

async function readSigner(path: string, given: MintArguments): Promise<Signer> {
  const algorithm = given.algorithm ?? 'ES256'
  if (algorithm.startsWith('HS') && !SECRET_ALGORITHMS.includes(algorithm))
    throw new UsageError(`--algorithm "${algorithm}" is not one of ${SECRET_ALGORITHMS.join(', ')}`)
  let bytes: Buffer
  try {
    bytes = await readFile(path)
  } catch {
    throw new UsageError(`Cannot read the key "${path}"`)
  }
  try {
    return algorithm.startsWith('HS')
      ? createSecretSigner(bytes, algorithm, given.keyId)
      : createPrivateKeySigner(bytes.toString('utf8'), algorithm, given.keyId)
  } catch (error) {
    throw new UsageError(`Cannot sign with "${path}": ${messageOf(error)}`)
  }
}

/** `scope=read` is a text, `level=3` a number, `roles=["a"]` a list. */
function readClaim(text: string): [name: string, value: unknown] {
  const equals = text.indexOf('=')
  if (equals < 1) throw new UsageError(`--claim "${text}" is not of the form name=value`)
  const value = text.slice(equals + 1)
  try {
    return [text.slice(0, equals), JSON.parse(value)]
  } catch {
    return [text.slice(0, equals), value]
  }
}
