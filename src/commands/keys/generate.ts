// `sidegate keys generate`: a key pair for the refresh or for a development issuer. An existing key is never overwritten.
import { join } from 'node:path'
import type { Argv } from 'yargs'
import { generateKey } from '../../token/signing/mint.ts'
import { ANSWER_IS_NO, DONE, type Shell } from '../shell.ts'
import { writeNew } from '../write-files.ts'

export const ALGORITHMS = [
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
  'Ed25519',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
] as const

interface GenerateArguments {
  readonly algorithm: string
  readonly out: string
  readonly keyId?: string | undefined
}

export function generateOptions<T>(argv: Argv<T>) {
  return argv
    .option('algorithm', { choices: ALGORITHMS, default: 'ES256' as const, description: 'The signature algorithm' })
    .option('out', { type: 'string', requiresArg: true, demandOption: true, description: 'The folder to write to' })
    .option('key-id', { type: 'string', requiresArg: true, description: 'The kid; default: the RFC 7638 thumbprint' })
    .example('$0 keys generate --algorithm ES256 --out ./keys', 'Writes private.pem, private.jwk and jwks.json')
}

/** Writes private.pem and private.jwk (mode 0600) and jwks.json. */
export async function generateKeys({ algorithm, out, keyId }: GenerateArguments, shell: Shell): Promise<number> {
  const key = await generateKey(algorithm, keyId)
  const files = [
    { name: 'private.pem', text: key.privatePem, mode: 0o600 },
    { name: 'private.jwk', text: key.privateJwk, mode: 0o600 },
    { name: 'jwks.json', text: key.publicJwks, mode: 0o644 },
  ].map((file) => ({ ...file, path: join(out, file.name) }))
  const problem = await writeNew(out, files)
  if (problem !== undefined) {
    shell.complain(problem)
    return ANSWER_IS_NO
  }
  shell.print(`Wrote ${files.map(({ path }) => path).join(', ')}`)
  shell.print(
    `refresh.key: { privateKeyFile: ${join(out, 'private.pem')}, algorithm: ${algorithm}, keyId: ${key.keyId} }`,
  )
  return DONE
}
