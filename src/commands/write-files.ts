// Writing files so that nothing is lost: new ones replace nothing, a changed one is replaced whole or not at all.

import { randomUUID } from 'node:crypto'
import { mkdir, open, realpath, rename, rm, stat, writeFile } from 'node:fs/promises'
import { codeOf, whyFileFails } from '../model/error.ts'

export interface NewFile {
  readonly path: string
  readonly text: string
  readonly mode: number
}

/** Writes all of the files or none. Answers what hinders it, or nothing. */
export async function writeNew(folder: string, files: readonly NewFile[]): Promise<string | undefined> {
  const written: string[] = []
  try {
    await mkdir(folder, { recursive: true })
    for (const { path, text, mode } of files) {
      // "wx": a key that is in use must not vanish because somebody repeated a command.
      await writeFile(path, text, { mode, flag: 'wx' })
      written.push(path)
    }
    return undefined
  } catch (error) {
    // Half of a pair beside a key of another one would be taken for its other half.
    await removeFiles(written)
    return problemOf(error, folder)
  }
}

/** Takes back what was just written. */
export async function removeFiles(paths: readonly string[]): Promise<void> {
  for (const path of paths) await rm(path, { force: true })
}

/**
 * Puts another text into a file: its mode is kept, and who reads it meanwhile sees the old text or the new one. Answers what
 * hinders it, or nothing.
 */
export async function replaceFile(path: string, text: string): Promise<string | undefined> {
  let temporary: string | undefined
  try {
    // Where the path is a link, what it leads to is replaced, and not the link.
    const target = await realpath(path)
    temporary = `${target}.${randomUUID()}`
    await writeLike(target, temporary, text)
    await rename(temporary, target)
    return undefined
  } catch (error) {
    if (temporary !== undefined) await rm(temporary, { force: true })
    return problemOf(error, path)
  }
}

async function writeLike(model: string, path: string, text: string): Promise<void> {
  const { mode, uid, gid } = await stat(model)
  const file = await open(path, 'wx', 0o600)
  try {
    await file.writeFile(text)
    const { uid: ownUid, gid: ownGid } = await file.stat()
    // Before the mode, which a change of the owner may take bits from.
    if (uid !== ownUid || gid !== ownGid) await file.chown(uid, gid)
    await file.chmod(mode & 0o7777)
    await file.sync()
  } finally {
    await file.close()
  }
}

function problemOf(error: unknown, fallback: string): string {
  const { path = fallback } = error as { path?: string }
  const isThere = codeOf(error) === 'EEXIST'
  return `Cannot write "${path}": ${isThere ? 'it exists already; remove it or choose another --out' : whyFileFails(error)}`
}
