// The gate as it was built from commit 7d4b85d, for tests of a fleet in the middle of an upgrade. The packed file is the bundle
// of that commit (`npm run build -- --bundle`), minified and compressed by Brotli; it must never change.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync } from 'node:zlib'
import { type Finished, finishProcess, startProcess } from './process.ts'

const packed = new URL('released/sidegate-7d4b85d.mjs.br', import.meta.url)
let program: string | undefined

export interface ReleasedGate {
  request(path: string, token?: string, headers?: Record<string, string>): Promise<Response>
  admin(path: string, options?: RequestInit): Promise<Response>
  /** Ends it by SIGTERM, and waits until it has ended. */
  stop(): Promise<void>
}

/** Starts a gate of that commit with these settings. */
export async function startReleasedGate(settingsText: string): Promise<ReleasedGate> {
  const file = join(unpackedFolder(), `sidegate-${Math.random().toString(36).slice(2)}.yaml`)
  writeFileSync(file, settingsText)
  const gate = await startProcess(['run', '--config', file], {}, undefined, unpacked())
  return {
    request: (path, token, headers = {}) =>
      fetch(`http://127.0.0.1:${gate.port}${path}`, {
        redirect: 'manual',
        headers: token === undefined ? headers : { ...headers, authorization: `Bearer ${token}` },
      }),
    admin: (path, options = {}) => fetch(`http://127.0.0.1:${gate.adminPort}${path}`, options),
    stop: async () => {
      gate.child.kill('SIGTERM')
      await gate.exited
    },
  }
}

/** Runs a command of that commit to its end. */
export function runReleased(given: readonly string[]): Promise<Finished> {
  return finishProcess(given, {}, unpacked())
}

function unpacked(): string {
  if (program !== undefined) return program
  program = join(unpackedFolder(), 'sidegate.mjs')
  writeFileSync(program, brotliDecompressSync(readFileSync(packed)))
  return program
}

let folder: string | undefined
function unpackedFolder(): string {
  if (folder !== undefined) return folder
  const made = mkdtempSync(join(tmpdir(), 'sidegate-released-'))
  folder = made
  process.once('exit', () => rmSync(made, { recursive: true, force: true }))
  return made
}
