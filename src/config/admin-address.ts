// Where is the admin port of a gate with these settings? Reads that one setting: a probe needs no other, and must not fail
// over a mistake in them, as a running gate does not either.

import type { SettingsSources } from './load.ts'
import { settingsSchema } from './options.ts'
import { findingsOf, formatProblem } from './problems.ts'
import { readGiven } from './sources/variables-and-flags.ts'
import { readYaml } from './sources/yaml.ts'
import type { Address } from './value-types/addresses.ts'
import { isGroup } from './value-types/value-types.ts'

/** The value of `admin.listen`, or the sentence that says why there is none. */
export type AddressResult = { readonly address: Address } | { readonly problem: string }

/** Reads `admin.listen` as the gate would: a variable beats the file, and there is a default. */
export function readAdminAddress({ file, environment, flags }: SettingsSources): AddressResult {
  const { given, problems } = readGiven(environment, flags)
  const unread = problems.find(({ where }) => where === 'SIDEGATE_ADMIN_LISTEN')
  if (unread !== undefined) return { problem: formatProblem(unread) }
  const named = given.find(({ row }) => row.name === 'admin.listen')
  if (named !== undefined) return parseAdminAddress(named.value, named.where)
  const yaml = file === undefined ? undefined : readYaml(file.text)
  if (yaml?.isBroken === true) return { problem: `Cannot read "${file?.path}": it is not YAML` }
  const admin = isGroup(yaml?.value) ? yaml.value.admin : undefined
  return parseAdminAddress(isGroup(admin) ? admin.listen : undefined, `${file?.path} admin.listen`)
}

/** Reads an address; undefined is the default. `where` is said in front of what is wrong with it. */
export function parseAdminAddress(listen: unknown, where: string): AddressResult {
  const given = listen === undefined ? {} : { listen }
  const { success, data, error } = settingsSchema.shape.admin.safeParse(given, { reportInput: true })
  if (success) return { address: data.listen }
  const findings = error.issues.flatMap((issue) => findingsOf({ ...issue, path: ['admin', ...issue.path] }))
  const [said = 'Expected an address'] = findings.map(({ message, hint }) => (hint ? `${message}, ${hint}` : message))
  return { problem: `${where}: ${said}` }
}
