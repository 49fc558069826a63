// The manifests that a command is given: files, folders, or standard input. Tells what cannot be read or is no YAML, with
// its place.

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type Manifests, readManifests } from '../../kubernetes/manifests/manifests.ts'
import { codeOf, whyFileFails } from '../../model/error.ts'
import { FROM_INPUT, type Shell } from '../shell.ts'

/** A text with manifests, and where it came from. */
export interface ManifestFile {
  /** As it was given; "standard input" for a dash. */
  readonly name: string
  readonly manifests: Manifests
}

export interface ManifestFiles {
  readonly files: readonly ManifestFile[]
  /** A line for each thing that is wrong; where there are some, the files are not to be judged. */
  readonly problems: readonly string[]
}

/** Reads all of them. A folder stands for the YAML and JSON files right below it. */
export async function readManifestFiles(given: readonly string[], shell: Shell): Promise<ManifestFiles> {
  const files: ManifestFile[] = []
  const problems: string[] = []
  for (const path of given) {
    try {
      for (const { name, text } of await readTexts(path, shell)) {
        const manifests = readManifests(text)
        files.push({ name, manifests })
        for (const { line, column, message } of manifests.troubles)
          problems.push(`${name}:${line}:${column}: ${message}`)
      }
    } catch (error) {
      problems.push(cannotRead(path, error))
    }
  }
  return { files, problems }
}

interface NamedText {
  readonly name: string
  readonly text: string
}

async function readTexts(path: string, shell: Shell): Promise<readonly NamedText[]> {
  if (path === FROM_INPUT) return [{ name: 'standard input', text: await shell.readInput() }]
  const names = await namesIn(path)
  return Promise.all(names.map(async (name) => ({ name, text: await readFile(name, 'utf8') })))
}

async function namesIn(path: string): Promise<readonly string[]> {
  try {
    const names = await readdir(path)
    return names
      .filter((name) => /\.(ya?ml|json)$/.test(name))
      .toSorted()
      .map((name) => join(path, name))
  } catch (error) {
    if (codeOf(error) === 'ENOTDIR') return [path]
    throw error
  }
}

/** Why a file cannot be read or written, as a sentence. */
export function cannotRead(path: string, error: unknown, what = 'read'): string {
  return `Cannot ${what} ${JSON.stringify(path)}: ${whyFileFails(error)}`
}
