// Writes the files that are derived from the source, or with --check tells which of them are out of date.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { generatedFiles } from './generated-files.ts'

const root = join(import.meta.dirname, '..')
const isCheck = process.argv.includes('--check')

for (const { path, content } of generatedFiles) {
  const file = join(root, path)
  const text = content()
  if (text === readIfThere(file)) continue
  if (isCheck) {
    console.error(`${path} is out of date: run "npm run generate"`)
    process.exitCode = 1
  } else {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
    console.log(`${path} written`)
  }
}

function readIfThere(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined
    throw error
  }
}
