// `sidegate inject`: manifests in, the same manifests with the gate out. Works offline, changes nothing in a cluster, says on
// standard error what it changed and why, and changes nothing at all where a part of it would be wrong.
import { writeFile } from 'node:fs/promises'
import type { Argv } from 'yargs'
import { type InjectedObjects, injectObjects, type ObjectReport } from '../../kubernetes/injection/inject-objects.ts'
import { CONFIG_MAP } from '../../kubernetes/injection/sidecar.ts'
import { type Tree, textAt } from '../../kubernetes/manifests/nested-values.ts'
import { workloadKinds } from '../../kubernetes/manifests/workloads.ts'
import { version } from '../../runtime/version.ts'
import { ANSWER_IS_NO, DONE, FROM_INPUT, type Shell, UsageError } from '../shell.ts'
import { cannotRead, readManifestFiles } from './manifest-files.ts'

export interface InjectArguments {
  readonly file: string
  readonly out?: string | undefined
  readonly inPlace?: boolean | undefined
  readonly image?: string | undefined
  readonly configMap: string
  readonly secret?: string | undefined
  readonly all: boolean
}

export function injectOptions<T>(argv: Argv<T>) {
  return argv
    .option('file', {
      alias: 'f',
      type: 'string',
      requiresArg: true,
      demandOption: true,
      description: 'The manifests (YAML or JSON), or - to read them',
    })
    .option('out', { type: 'string', requiresArg: true, description: 'The file to write to; default: standard output' })
    .option('in-place', { type: 'boolean', description: 'Write to the file that was read' })
    .conflicts('out', 'in-place')
    .option('image', { type: 'string', requiresArg: true, description: 'The image of the gate' })
    .option('config-map', {
      type: 'string',
      requiresArg: true,
      default: CONFIG_MAP,
      description: 'The ConfigMap with sidegate.yaml',
    })
    .option('secret', {
      type: 'string',
      requiresArg: true,
      description: 'The Secret with the files that the settings name',
    })
    .option('all', {
      type: 'boolean',
      default: false,
      description: 'Every workload; default: those with the label sidegate.dev/inject: "true" on their pods',
    })
    .example('$0 inject -f deploy.yaml --image registry.example.com/sidegate:1.0.0 | kubectl apply -f -', '')
    .example('helm template shop | $0 inject -f - --image registry.example.com/sidegate:1.0.0', '')
}

/** Answers 0 where the manifests have the gate now, 1 where they could not get it. */
export async function inject(given: InjectArguments, shell: Shell): Promise<number> {
  if (given.inPlace === true && given.file === FROM_INPUT)
    throw new UsageError('--in-place needs a file: what comes from standard input goes to standard output')
  const { files, problems } = await readManifestFiles([given.file], shell)
  const [file, ...more] = files
  if (more.length > 0) throw new UsageError(`--file is a folder with ${files.length} manifests; give one file`)
  for (const problem of problems) shell.complain(problem)
  if (file === undefined || problems.length > 0) return ANSWER_IS_NO
  const objects = file.manifests.objects.map(({ value }) => value)
  const { image, configMap, secret, all } = given
  const injected = injectObjects(objects, { defaults: { image, configMap, secret, version }, isForAll: all })
  const wrong = injected.reports.filter((report) => report.problems.length > 0)
  for (const line of injected.reports.flatMap(linesOf)) shell.complain(line)
  if (wrong.length > 0) {
    shell.complain('Nothing was written')
    return ANSWER_IS_NO
  }
  if (injected.gates === 0) {
    shell.complain(`No workload in ${file.name} gets the gate: ${whyNone(all)}`)
    return ANSWER_IS_NO
  }
  const { text, reformatted } = file.manifests.withObjects(injected.objects)
  for (const line of reformatted)
    shell.complain(`warning: ${file.name}:${line}: The comments and the layout of this document could not be kept`)
  for (const line of summaryOf(injected, configMap)) shell.complain(line)
  return deliver(text, given, shell)
}

async function deliver(text: string, { file, inPlace, out }: InjectArguments, shell: Shell): Promise<number> {
  const path = inPlace === true ? file : out
  if (path === undefined) {
    const print = shell.printDocument ?? shell.print
    print(text.replace(/\n$/, ''))
    return DONE
  }
  try {
    await writeFile(path, text)
    return DONE
  } catch (error) {
    shell.complain(cannotRead(path, error, 'write'))
    return ANSWER_IS_NO
  }
}

function linesOf({ object, changes, warnings, problems }: ObjectReport): readonly string[] {
  const line = (label: string) => (remark: { readonly path: string; readonly message: string }) =>
    `${label}${object} ${remark.path}: ${remark.message}`
  return [...changes.map(line('')), ...warnings.map(line('warning: ')), ...problems.map(line('problem: '))]
}

function whyNone(isForAll: boolean): string {
  const kinds = workloadKinds.join(', ')
  return isForAll
    ? `it has none of ${kinds} without the label sidegate.dev/inject: "false"`
    : `put the label sidegate.dev/inject: "true" on the pod template of one of ${kinds}, or give --all`
}

function summaryOf({ gates, objects, reports }: InjectedObjects, configMap: string): readonly string[] {
  const isChanged = reports.some(({ changes }) => changes.length > 0)
  const count = `${gates} ${gates === 1 ? 'workload has' : 'workloads have'} the gate`
  const isThere = (object: Tree) => object.kind === 'ConfigMap' && textAt(object, 'metadata', 'name') === configMap
  const missing = `The ConfigMap ${JSON.stringify(configMap)} with sidegate.yaml is not among these manifests; it has to be there before`
  return [isChanged ? count : `${count}; nothing had to change`, ...(objects.some(isThere) ? [] : [missing])]
}
