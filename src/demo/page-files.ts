// The files of the demo's page, as a browser takes them. In the sources the scripts have types, which are stripped here; the
// build writes what this answers into dist/, so that there and in the bundle nothing is left to do.
import { readFileSync } from 'node:fs'
import { stripTypeScriptTypes } from 'node:module'

export const pageFiles = ['index.html', 'page.css', 'page.js', 'client.js', 'icon.svg'] as const
export type PageFile = (typeof pageFiles)[number]

const CLIENT = '../../client/client.ts'

/** Answers the text of a file of the page. */
export function readPageFile(file: PageFile): string {
  const folder = new URL('page/', import.meta.url)
  if (!import.meta.url.endsWith('.ts') || !file.endsWith('.js')) return readFileSync(new URL(file, folder), 'utf8')
  const source = new URL(file === 'client.js' ? CLIENT : 'page.ts', folder)
  return stripTypeScriptTypes(readFileSync(source, 'utf8')).replace(`'${CLIENT}'`, "'./client.js'")
}
