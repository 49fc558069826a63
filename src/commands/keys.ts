// `sidegate keys generate`: a key pair for the refresh or for a development issuer. An existing key is never overwritten.
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Argv } from 'yargs'
import { generateKey } from '../token/mint.ts'
import { ANSWER_IS_NO, DONE, type Shell } from './shell.ts'

const ALGORITHMS = ['ES256', 'ES384', 'ES512', 'EdDSA', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'] as const

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
  await mkdir(out, { recursive: true })
  const files = [
    { name: 'private.pem', text: key.privatePem.endsWith('\n') ? key.privatePem : `${key.privatePem}\n`, mode: 0o600 },
    { name: 'private.jwk', text: key.privateJwk, mode: 0o600 },
    { name: 'jwks.json', text: key.publicJwks, mode: 0o644 },
  ]
  try {
    // "wx": a key that is in use must not vanish because somebody repeated a command.
    for (const { name, text, mode } of files) await writeFile(join(out, name), text, { mode, flag: 'wx' })
  } catch (error) {
    const { code, path } = error as { code?: string; path?: string }
    const why = code === 'EEXIST' ? 'it exists already; remove it or choose another --out' : String(code)
    shell.complain(`Cannot write "${path ?? out}": ${why}`)
    return ANSWER_IS_NO
  }
  shell.print(`Wrote ${files.map(({ name }) => join(out, name)).join(', ')}`)
  shell.print(
    `refresh.key: { privateKeyFile: ${join(out, 'private.pem')}, algorithm: ${algorithm}, keyId: ${key.keyId} }`,
  )
  return DONE
}
