// Which files do the settings name, and what do they hold? Reads them whole, bounded, and says plainly why it cannot.
// Never puts a byte of a file into a message.

import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { whyFileFails } from '../../model/error.ts'
import type { Config } from '../options.ts'
import { quote } from '../value-types/quote.ts'
import { isGroup, type NamedFile } from '../value-types/value-types.ts'
import { settingRows } from './flags.ts'

/** The largest file that is read, in bytes: 1 MiB. */
export const LARGEST_FILE_BYTES = 1_048_576

/** A file that a setting names. */
export interface SettingFile extends NamedFile {
  readonly path: string
  /** The setting, as the messages call it: `issuers[0].keys.secretFile`. */
  readonly setting: string
}

const fileRows = settingRows.filter((row) => row.file !== undefined)

/** Every file that the settings name, in the order of the table. */
export function filesOf(config: Config): SettingFile[] {
  return fileRows.flatMap(({ path, file }) =>
    file === undefined ? [] : filesBelow(config, path).map((named) => ({ ...named, ...file })),
  )
}

/** The files that a path through the table leads to: none where the setting is absent, one for each item of a list. */
function filesBelow(
  value: unknown,
  [name, ...rest]: readonly string[],
  setting = '',
): readonly Pick<SettingFile, 'path' | 'setting'>[] {
  if (name === undefined) return typeof value === 'string' ? [{ path: value, setting }] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => filesBelow(item, rest, `${setting}[${index}]`))
  return isGroup(value) ? filesBelow(value[name], rest, setting === '' ? name : `${setting}.${name}`) : []
}

/** Answers the bytes of a file, or rejects with a `SettingFileError`. */
export type ReadFile = (path: string) => Promise<Buffer>

/** A file that cannot be used. The message names it and the reason, and nothing from it. */
export class SettingFileError extends Error {
  override readonly name = 'SettingFileError'
}

/**
 * The bytes of a file, at most 1 MiB.
 *
 * @throws {SettingFileError} where it is missing, no regular file, not readable, empty or larger
 */
export async function readSettingFile(path: string): Promise<Buffer> {
  const file = await openFile(path)
  try {
    return await readBounded(file, path)
  } finally {
    await file.close()
  }
}

/**
 * The text of a file without the line break at its end, which editors and `echo` add.
 *
 * @throws {SettingFileError} as `readSettingFile` does, and where the bytes are not UTF-8
 */
export async function readSettingText(path: string, read: ReadFile = readSettingFile): Promise<string> {
  const bytes = await read(path)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw failure(path, 'it is not UTF-8')
  }
  const trimmed = text.replace(/\r?\n$/, '')
  if (trimmed === '') throw failure(path, 'it is empty')
  return trimmed
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    // Without O_NONBLOCK, opening a named pipe waits for a writer that may never come.
    return await open(path, constants.O_RDONLY | constants.O_NONBLOCK)
  } catch (error) {
    throw failure(path, whyFileFails(error))
  }
}

async function readBounded(file: FileHandle, path: string): Promise<Buffer> {
  const stat = await file.stat()
  if (stat.isDirectory()) throw failure(path, 'it is a directory')
  if (!stat.isFile()) throw failure(path, 'it is not a regular file')
  // One byte more than allowed: a file can grow between its size and its last byte.
  const buffer = Buffer.alloc(LARGEST_FILE_BYTES + 1)
  let length = 0
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length)
    if (bytesRead === 0) break
    length += bytesRead
  }
  if (length === 0) throw failure(path, 'it is empty')
  if (length > LARGEST_FILE_BYTES) throw failure(path, `it is larger than ${LARGEST_FILE_BYTES} bytes`)
  return Buffer.from(buffer.subarray(0, length))
}

function failure(path: string, reason: string): SettingFileError {
  return new SettingFileError(`Cannot read ${quote(path)}: ${reason}`)
}
