// The program that tests start as a process: in one file, as the image has it, or the sources where no such file was made.
import { fileURLToPath } from 'node:url'

const sources = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

export const program = process.env.SIDEGATE_TEST_PROGRAM ?? sources
