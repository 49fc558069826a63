// A real browser: headless Chromium with an empty profile. Where there is none, its tests are skipped and say so.
import { accessSync, constants } from 'node:fs'
import type { RequestListener } from 'node:http'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { type Browser, chromium, type Page } from 'playwright-core'
import { describe, test } from 'vitest'

const NAMES = ['chromium', 'chromium-browser', 'google-chrome']
const path = process.env.CHROMIUM ?? findOnPath()

/** As `describe`, where there is a Chromium; else one skipped test that says what is missing. */
export function describeInBrowser(name: string, tests: () => void): void {
  if (path !== undefined) describe(name, tests)
  else test.skip(`${name}: Chromium is not on this machine; install it, or name it in CHROMIUM`, () => {})
}

/** Starts the browser. Each context of it has cookies and a storage of its own. */
export function startBrowser(): Promise<Browser> {
  if (path === undefined) throw new Error('Cannot start a browser: Chromium is not on this machine')
  return chromium.launch({
    executablePath: path,
    // A container has no user namespaces, and often no graphics and no way out.
    args: [
      ...['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run'],
      ...['--disable-background-networking', '--disable-component-update', '--disable-sync'],
    ],
  })
}

/**
 * Runs a script in the page, as the body of an async function, and answers what it returns. Scripts for pages are texts:
 * the tests themselves have no document and no window.
 */
export function runInPage<Answer>(page: Page, script: string): Promise<Answer> {
  return page.evaluate<Answer>(`(async () => { ${script} })()`)
}

/** The client as a script for pages. */
async function clientScript(): Promise<string> {
  const source = fileURLToPath(new URL('../../src/client/client.ts', import.meta.url))
  const { outputFiles } = await build({ entryPoints: [source], format: 'esm', write: false })
  return outputFiles[0]?.text ?? ''
}

/** Answers requests for a page at `/page` whose scripts can import `/client.js`; false for every other request. */
export async function createPages(): Promise<(...given: Parameters<RequestListener>) => boolean> {
  const files: Record<string, readonly [type: string, text: string]> = {
    '/page': ['text/html', '<!doctype html><link rel="icon" href="data:,"><title>Page</title>'],
    '/client.js': ['text/javascript', await clientScript()],
  }
  return (request, response) => {
    const file = files[request.url ?? '']
    if (file === undefined) return false
    response.writeHead(200, { 'content-type': file[0] }).end(file[1])
    return true
  }
}

function findOnPath(): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter)
  return NAMES.flatMap((name) => folders.map((folder) => join(folder, name))).find(isProgram)
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK)
    return true
  } catch {
    return false
  }
}
