// The demo as a process of its own, and what a browser would load from its page.
import { type ChildProcess, spawn } from 'node:child_process'
import { vi } from 'vitest'

export interface RunningDemo {
  readonly child: ChildProcess
  /** What it printed. */
  readonly text: string
  /** Where its page is. */
  readonly url: string
}

/** Starts `demo` with the program in this file, and answers when it has printed everything. */
export async function startDemo(program: string): Promise<RunningDemo> {
  const child = spawn(process.execPath, [program, 'demo'], { stdio: ['ignore', 'pipe', 'ignore'] })
  let text = ''
  child.stdout.on('data', (bytes: Buffer) => {
    text += bytes.toString('utf8')
  })
  await vi.waitFor(
    () => {
      if (!text.includes('Ctrl-C ends the demo')) throw new Error(`not ready yet: ${text}`)
    },
    { timeout: 20_000 },
  )
  return { child, text, url: /^Open (http:\S+) /.exec(text)?.[1] ?? 'none' }
}

/** Loads the page, and what it names and imports; answers each content by its path. */
export async function loadPage(url: string): Promise<Readonly<Record<string, string>>> {
  const loaded: Record<string, string> = {}
  const load = async (path: string): Promise<void> => {
    if (path in loaded) return
    const response = await fetch(new URL(path, url))
    if (response.status !== 200) throw new Error(`Cannot load "${path}": status is ${response.status}`)
    const text = await response.text()
    loaded[path] = text
    const named = [...text.matchAll(/(?:src|href)="([^"]+)"|from '([^']+)'/g)].map(([, a, b]) => a ?? b ?? '')
    for (const name of named) await load(new URL(name, new URL(path, url)).pathname)
  }
  await load('/')
  return loaded
}
