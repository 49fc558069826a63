// Where does the injector get its certificate from? The contract of the two sources, and the one that reads files, as
// cert-manager writes them.

import { readFile } from 'node:fs/promises'
import type { Clock } from '../../model/clock.ts'
import { codeOf } from '../../model/error.ts'
import { type Pair, pairTrouble } from './certificate-pair.ts'

/** Looks once at what there is, told what is `shown`. Rejects where that cannot be told; what was shown before is shown on. */
export type CertificateSource = (shown?: Pair) => Promise<CertificateRound>

export interface CertificateRound {
  /** To show from now on; absent: what is shown already. */
  readonly pair?: Pair | undefined
  /** Why the API server would not believe what is shown; nothing where it does, as far as this source can know. */
  readonly missing?: string | undefined
  /** What could not be done, though what is shown is good for now. */
  readonly trouble?: string | undefined
}

export interface CertificateFiles {
  readonly certificateFile: string
  readonly keyFile: string
  readonly clock: Clock
}

/** Reads both files in each round, so that a renewed certificate is shown without a restart. */
export function certificateFromFiles({ certificateFile, keyFile, clock }: CertificateFiles): CertificateSource {
  return async (shown) => {
    const [certificate, privateKey] = await Promise.all([readPem(certificateFile), readPem(keyFile)])
    if (shown?.certificate === certificate && shown.privateKey === privateKey) return {}
    const trouble = pairTrouble({ certificate, privateKey }, clock())
    if (trouble !== undefined) throw new Error(`Cannot use "${certificateFile}" with "${keyFile}": ${trouble}`)
    return { pair: { certificate, privateKey } }
  }
}

async function readPem(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    throw new Error(`Cannot read "${path}" (${codeOf(error) || 'unknown'})`)
  }
}
