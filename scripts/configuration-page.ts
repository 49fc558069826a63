// What does docs/configuration.md say? Built from the table of settings alone, so that it cannot drift from the program.
import { type SettingRow, settingRows } from '../src/config/sources/flags.ts'

/** A complete settings file; a test loads it from the page. */
const example = `listen: '[::]:8443'
tls:
  certFile: /etc/sidegate/tls/tls.crt
  keyFile: /etc/sidegate/tls/tls.key
upstream: https://127.0.0.1:3443
upstreamTls:
  caFile: /etc/sidegate/app-ca.crt
  serverName: app.example.svc
workers: 1
admin:
  listen: '[::]:9090'
  tokenFile: /etc/sidegate/admin-token
issuers:
  - issuer: https://id.example.com
    audiences: [orders]
    algorithms: [ES256]
    keys:
      discovery: true
    clockTolerance: 5s
    tokenTypes: [at+jwt, JWT]
    requiredClaims: [sub]
    maxLifetime: 24h
tokens:
  sources: [{ header: authorization }, { cookie: session }]
  maxBytes: 8192
routes:
  - { path: /healthz, methods: [GET], access: public }
  - { path: /admin/*, scopes: [admin] }
  - { path: /billing/*, claims: { tenant: [acme, initech] } }
cors:
  origins: [https://app.example.com]
revocation:
  redis: redis://redis:6379/0
  list: default
  check: local
  maxStaleness: 30s
  whenStale: deny
refresh:
  window: 60s
  lifetime: 5m
  maxSession: 12h
  key: { privateKeyFile: /etc/sidegate/signing.pem, algorithm: ES256, keyId: k1 }
  header: x-refreshed-token
forward:
  identity: { x-auth-subject: sub, x-auth-scope: scope, x-auth-issuer: iss }
  stripToken: false
  trustedProxies: []
outbound:
  proxy: env                   # none, or http://user:password@proxy.example.com:3128
limits:
  headerBytes: 16384
  bodyBytes: 10485760
  drainTimeout: 25s
mode: enforce
log: { level: info, access: refused }
`

const introduction = `# Settings

<!-- Written by "npm run generate" from src/config/options.ts. Changes here are lost. -->

Settings come from a file in YAML 1.2 (\`--config sidegate.yaml\`), from variables and from flags. For each setting the
flag beats the variable, the variable beats the file, and the file beats the default. Only \`issuers\` has to be given.

- **Variables and flags.** Each setting has the names that the tables show. A list or a map is given as a whole, as YAML:
  \`SIDEGATE_ISSUERS='[{ issuer: "https://id.example.com", audiences: [orders], keys: { discovery: true } }]'\`. No other
  variable is read; a \`SIDEGATE_\` variable that no setting has is warned about, unless Kubernetes put it there for a
  Service.
- **Refresh** is off until one of the settings below \`refresh\` is given, in whatever way.
- **Durations** are a whole number and one unit: \`500ms\`, \`30s\`, \`5m\`, \`12h\`.
- **Secrets** stand in files, and the settings name the files. A password in the Redis URL is never printed.
- **YAML.** \`yes\` and \`on\` are texts, not \`true\`. There are no merge keys and no tags. A value that begins with
  \`[\`, such as \`'[::]:8080'\`, needs quotes. A setting without a value is an error, not the default.
- **Mistakes.** An unknown name or a wrong value stops the start. All problems are told in one run, each with its place
  and what would be right. \`sidegate check --config sidegate.yaml\` does the same without starting.
- **Reload.** The settings file and the files it names are read again when they change, also when a ConfigMap or Secret
  is updated. If the new settings are wrong, the old ones stay in force, which is logged and counted. These keep the value
  of the start until the next one, and a warning names them: ${restartNames()}. Whether there is
  a ${presenceNames()} is settled at the start as well.

The JSON Schema is in [sidegate.schema.json](sidegate.schema.json); \`sidegate schema\` prints it. Editors use it after
this line at the top of the file: \`# yaml-language-server: $schema=./sidegate.schema.json\`.

## Example

\`\`\`yaml
${example}\`\`\`
`

/** The settings that only a start reads; a group where all of it does. */
function restartNames(): string {
  const restart = settingRows.filter(
    ({ path, isGroup, onChange }) => onChange === 'restart' && !isGroup && !path.includes('[]'),
  )
  return restart.map(({ name }) => `\`${name}\``).join(', ')
}

function presenceNames(): string {
  return settingRows
    .filter(({ onChange }) => onChange === 'presence')
    .map(({ name }) => `\`${name}\``)
    .join(' and a ')
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const top = settingRows.filter((row) => row.path.length === 1 && !hasParts(row))
  const groups = settingRows.filter((row) => hasParts(row))
  const sections = [`## Top level\n\n${table(top)}`, ...groups.map(section)]
  return `${introduction}\n${sections.join('\n')}`
}

function hasParts(row: SettingRow): boolean {
  return partsOf(row).length > 0
}

/** The settings one step below a group, or below each item of a list. */
function partsOf({ path }: SettingRow): readonly SettingRow[] {
  return settingRows.filter((row) => {
    const rest = row.path.slice(path.length)
    return path.every((name, index) => row.path[index] === name) && rest.filter((name) => name !== '[]').length === 1
  })
}

function section(row: SettingRow): string {
  const level = '#'.repeat(row.path.filter((name) => name !== '[]').length + 1)
  const parts = partsOf(row)
  const single = parts.filter((part) => !hasParts(part))
  const names = row.environment === undefined ? '' : ` As a whole: \`${row.environment}\` or \`--${row.flag}\`.`
  const standard = row.isGroup || row.default === undefined ? '' : ` Default: ${defaultOf(row)}.`
  const heading = `${level} \`${row.name}\`\n\n${row.description}${standard}${names}\n`
  return single.length === 0 ? heading : `${heading}\n${table(single)}`
}

function table(rows: readonly SettingRow[]): string {
  const isNamed = rows.some((row) => row.environment !== undefined)
  const titles = ['Setting', 'Type', 'Default', ...(isNamed ? ['Variable', 'Flag'] : []), 'Meaning']
  const lines = rows.map((row) => {
    const names = isNamed ? [code(row.environment), code(row.flag && `--${row.flag}`)] : []
    return [code(row.path.at(-1)), row.kind, defaultOf(row), ...names, row.description]
  })
  return [titles, titles.map(() => '---'), ...lines]
    .map((cells) => `| ${cells.map(escapeCell).join(' | ')} |\n`)
    .join('')
}

function defaultOf(row: SettingRow): string {
  if (row.default === undefined) return row.required ? 'required' : ''
  return code(typeof row.default === 'string' ? row.default : flow(row.default))
}

/** A value in YAML's flow style, on one line. */
function flow(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(flow).join(', ')}]`
  if (typeof value !== 'object' || value === null) return String(value)
  if (Object.keys(value).length === 0) return '{}'
  return `{ ${Object.entries(value)
    .map(([name, part]) => `${name}: ${flow(part)}`)
    .join(', ')} }`
}

function code(text: string | undefined): string {
  return text ? `\`${text}\`` : ''
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|')
}
