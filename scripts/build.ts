// Makes what is shipped: dist/ for npm, with the module for browsers, and with --bundle one file that runs beside nothing but
// Node, for the image. It must never ship what does not compile.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { build, type Metafile } from 'esbuild'
import { pageFiles, readPageFile } from '../src/demo/page-files.ts'
import { bundleProgram } from './bundle.ts'

const root = join(import.meta.dirname, '..')
const dist = join(root, 'dist')
const bundle = join(root, 'dist-bundle')

/** JavaScript in dist/, one file for each of src/, and what the page of the demo is made of. */
function compile(): void {
  rmSync(dist, { recursive: true, force: true })
  runCompiler('-p', 'tsconfig.build.json')
  chmodSync(join(dist, 'cli.js'), 0o755)
  const page = join(dist, 'demo', 'page')
  mkdirSync(page)
  for (const file of pageFiles) writeFileSync(join(page, file), readPageFile(file))
  console.log('dist/cli.js')
}

/** dist/client.js and its types: what `sidegate/client` names. */
async function makeClient(): Promise<void> {
  runCompiler('-p', 'tsconfig.client.json')
  const file = join(dist, 'client.js')
  await build({
    entryPoints: [join(root, 'src', 'client', 'client.ts')],
    outfile: file,
    minify: true,
    target: 'es2022',
    format: 'esm',
    logLevel: 'warning',
  })
  console.log(`dist/client.js, ${gzipSync(readFileSync(file)).length} bytes compressed`)
}

/** Ends with the exit code of the compiler where it finds an error. */
function runCompiler(...given: readonly string[]): void {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  const { status } = spawnSync(process.execPath, [compiler, ...given], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
}

/** dist-bundle/sidegate.mjs, the licences of everything in it, and the command `sidegate` of the image. */
async function makeBundle(): Promise<void> {
  rmSync(bundle, { recursive: true, force: true })
  mkdirSync(bundle)
  const file = join(bundle, 'sidegate.mjs')
  const { inputs } = await bundleProgram(file)
  chmodSync(file, 0o755)
  // The image has no shell and no /usr/bin/env: the command names the Node that lies beside it.
  writeFileSync(join(bundle, 'sidegate'), "#!/sidegate/node\nimport('./sidegate.mjs')\n", { mode: 0o755 })
  const packages = packagesIn(inputs)
  writeFileSync(join(bundle, 'THIRD-PARTY-LICENSES.txt'), packages.map(licenceOf).join(`\n${'-'.repeat(80)}\n\n`))
  console.log(`dist-bundle/sidegate.mjs, ${packages.length} packages in it`)
}

/** The folders of the packages that went into the bundle, sorted. */
function packagesIn(inputs: Metafile['inputs']): readonly string[] {
  const folders = Object.keys(inputs).flatMap(
    (input) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(input)?.[0] ?? [],
  )
  return [...new Set(folders)].sort()
}

/** Name, version and licence text of a package, as its licence asks whoever copies it to keep. */
function licenceOf(folder: string): string {
  const path = join(root, folder)
  const { name, version, license } = JSON.parse(readFileSync(join(path, 'package.json'), 'utf8'))
  const file = readdirSync(path).find((entry) => /^licen[cs]e/i.test(entry))
  const text = file === undefined ? `${license}\n` : readFileSync(join(path, file), 'utf8')
  return `${name} ${version} (${license})\n\n${text}`
}

compile()
await makeClient()
if (process.argv.includes('--bundle')) await makeBundle()
