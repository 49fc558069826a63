// The program as one file that runs beside nothing but Node: for the image, and for tests that start it, which so wait for no
// reading of three hundred sources.
import { join } from 'node:path'
import { build, type Metafile, type Plugin } from 'esbuild'
import manifest from '../package.json' with { type: 'json' }
import { pageFiles, readPageFile } from '../src/demo/page-files.ts'

const root = join(import.meta.dirname, '..')

/** In the bundle the version is a constant: there is no package.json beside it to read. */
const fixedVersion: Plugin = {
  name: 'fixed version',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\]runtime[/\\]version\.ts$/ }, () => ({
      contents: `export const version = ${JSON.stringify(manifest.version)}`,
    }))
  },
}

/** Nor are there files of the demo's page beside it: they are texts in the bundle. */
const fixedPage: Plugin = {
  name: 'fixed page',
  setup({ onLoad }) {
    onLoad({ filter: /[/\\]src[/\\]demo[/\\]page-files\.ts$/ }, () => {
      const texts = Object.fromEntries(pageFiles.map((file) => [file, readPageFile(file)]))
      return {
        contents: `const texts = ${JSON.stringify(texts)}
export const pageFiles = Object.keys(texts)
export const readPageFile = (file) => texts[file]`,
      }
    })
  },
}

/** Writes the bundle to `file`, and answers what went into it. */
export async function bundleProgram(file: string): Promise<Metafile> {
  const { metafile } = await build({
    entryPoints: [join(root, 'src', 'cli.ts')],
    outfile: file,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    legalComments: 'none',
    // The text of the program stays in memory: 5 MiB less. Names stay too, so that a stack says where it was.
    minifySyntax: true,
    minifyWhitespace: true,
    // Some libraries are CommonJS and ask for built-in modules by require, which a module file does not have.
    banner: {
      js: "import { createRequire as bundleRequire } from 'node:module'\nconst require = bundleRequire(import.meta.url)",
    },
    plugins: [fixedVersion, fixedPage],
    absWorkingDir: root,
    metafile: true,
    logLevel: 'warning',
  })
  return metafile
}
