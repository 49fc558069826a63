// Has one of these files changed? Polling is the guarantee; fs.watch makes it fast where the file system tells. A change is
// told only when the content differs, and after it has settled. Never reads the content for anything else.
import { createHash } from 'node:crypto'
import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { readSettingFile } from './files.ts'

export interface WatchOptions {
  /** How often every file is looked at in any case. Default 5000. */
  readonly intervalMs?: number
  /** How long after the first sign of a change it is looked at, so that one save is one change. Default 100. */
  readonly settleMs?: number
  /** Told what `onChange` throws, so that watching goes on. */
  readonly onError: (error: unknown) => void
}

export interface FileWatch {
  /** Looks at once, whatever the timers say; resolves when a change that was there has been told. */
  readonly check: () => Promise<void>
  /** Stops; no call of `onChange` begins afterwards. */
  readonly close: () => void
}

/** What is known of a file: its place on the disk, to see cheaply that nothing happened, and its content. */
interface State {
  readonly stamp: string
  readonly digest: string
}

/**
 * Calls `onChange` with the paths whose content is another than before, also when a file vanishes or comes back. A
 * ConfigMap's swap of `..data` counts, as paths are followed to where they lead. Calls never overlap; what happens
 * during one is told by the next. Resolves when the present state is known: read the files after that.
 */
export async function watchFiles(
  paths: readonly string[],
  onChange: (changed: readonly string[]) => void | Promise<void>,
  options: WatchOptions,
): Promise<FileWatch> {
  const { intervalMs = 5000, settleMs = 100, onError } = options
  const known = new Map<string, State>()
  for (const path of new Set(paths)) known.set(path, await look(path, undefined))

  let isClosed = false
  let running: Promise<void> | undefined
  let settling: NodeJS.Timeout | undefined

  async function tellChanges(): Promise<void> {
    const changed: string[] = []
    for (const [path, before] of known) {
      const now = await look(path, before)
      known.set(path, now)
      if (now.digest !== before.digest) changed.push(path)
    }
    if (changed.length === 0 || isClosed) return
    try {
      await onChange(changed)
    } catch (error) {
      onError(error)
    }
  }

  async function check(): Promise<void> {
    // A check that is under way may have passed a file already: wait for it, then look again.
    while (running !== undefined) await running
    if (isClosed) return
    running = tellChanges()
    await running.finally(() => {
      running = undefined
    })
  }

  function hint(): void {
    settling ??= setTimeout(() => {
      settling = undefined
      void check()
    }, settleMs).unref()
  }

  const directories = watchDirectories(new Set([...known.keys()].map(dirname)), hint)
  const polling = setInterval(() => {
    directories.reopen()
    void check()
  }, intervalMs).unref()

  return Object.freeze({
    check,
    close() {
      isClosed = true
      clearInterval(polling)
      clearTimeout(settling)
      directories.close()
    },
  })
}

async function look(path: string, before: State | undefined): Promise<State> {
  const stamp = await stampOf(path)
  if (before?.stamp === stamp) return before
  try {
    const digest = createHash('sha256')
      .update(await readSettingFile(path))
      .digest('base64')
    return { stamp, digest }
  } catch (error) {
    // Missing, empty, unreadable: states like any other. The next look reads again, as the reason may pass.
    return { stamp: 'unread', digest: error instanceof Error ? error.message : 'unreadable' }
  }
}

/** Follows symbolic links: after a swap the same path leads to another inode. */
async function stampOf(path: string): Promise<string> {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = await stat(path, { bigint: true })
    return `${dev}:${ino}:${size}:${mtimeNs}:${ctimeNs}`
  } catch {
    return 'missing'
  }
}

/** Watches directories, not files: a file that is replaced takes its own watch away with it. */
function watchDirectories(directories: ReadonlySet<string>, hint: () => void) {
  const open = new Map<string, FSWatcher>()

  function forget(directory: string): void {
    open.get(directory)?.close()
    open.delete(directory)
  }

  function reopen(): void {
    for (const directory of directories) {
      if (open.has(directory)) continue
      try {
        const watcher = watch(directory, { persistent: false }, (event, name) => {
          // The directory itself was removed or moved: the watch is deaf from now on.
          if (event === 'rename' && name !== null && directory.endsWith(`/${name}`)) forget(directory)
          hint()
        })
        watcher.on('error', () => forget(directory))
        open.set(directory, watcher)
      } catch {
        // Missing directory or no watches left: polling sees the change.
      }
    }
  }

  reopen()
  return {
    reopen,
    close() {
      for (const directory of [...open.keys()]) forget(directory)
    },
  }
}
