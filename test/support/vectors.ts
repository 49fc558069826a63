// Data of public test suites, kept outside this repository: tests that read it skip where it is absent.
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'

const folder = resolve(import.meta.dirname, '../../../shared/vectors')

export const hasVectors = existsSync(folder)

/** What a test that needs them says when they are not there. */
export const withoutVectors = 'the data of the public suites is not on this machine'

/** The parsed content of a file of the suites. */
export function readVectors<T>(path: string): T {
  return JSON.parse(readFileSync(join(folder, path), 'utf8')) as T
}
