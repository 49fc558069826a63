// Which Sidegate is this? Read from package.json once, so that it stands in one place.
import { createRequire } from 'node:module'

const manifest = createRequire(import.meta.url)('../../package.json') as { readonly version: string }

export const version: string = manifest.version
