// The rooms of src: what each is for, and which others it may import. The architecture test holds it, and docs/architecture.md
// shows it.

export interface Room {
  readonly path: string
  readonly purpose: string
  /** The rooms that its files may import, types included, beside their own and `model`. */
  readonly imports: readonly string[]
}

export const rooms: readonly Room[] = [
  {
    path: 'cli.ts',
    purpose: 'argv to command; the only reader of process.argv, the only caller of process.exit',
    imports: ['commands', 'runtime'],
  },
  {
    path: 'commands',
    purpose: 'what a person types, one folder for each group of commands',
    imports: [
      ...['demo', 'assembly', 'workers', 'kubernetes', 'config', 'telemetry', 'runtime'],
      // A command line writes rules, asks the gate why, and mints tokens, without a gate that runs.
      ...['gate', 'token', 'revocation', 'refresh', 'redis', 'http', 'outbound-http'],
    ],
  },
  {
    path: 'demo',
    purpose: 'the app, the issuer, the page and the stories of `sidegate demo`',
    // It starts a gate as a command does, and is an issuer.
    imports: ['assembly', 'client', 'config', 'token', 'telemetry', 'http', 'runtime'],
  },
  { path: 'client', purpose: "`sidegate/client`: the caller's half of the refresh, shipped to browsers", imports: [] },
  {
    path: 'assembly',
    purpose: 'the composition root: from settings to parts, then start, reload and stop',
    imports: [
      ...['workers', 'servers/proxy', 'servers/admin', 'upstream', 'http', 'gate', 'token', 'revocation', 'refresh'],
      ...['redis', 'outbound-http', 'telemetry', 'config', 'runtime'],
    ],
  },
  {
    path: 'workers',
    purpose: 'several processes as one gate: who starts them, and what they ask each other',
    // The first process serves the admin port of all.
    imports: ['servers/admin', 'upstream', 'http', 'telemetry', 'config'],
  },
  {
    path: 'servers/proxy',
    purpose: 'the server in front of the app: one request from its head to its outcome',
    imports: ['gate', 'http', 'upstream'],
  },
  {
    path: 'servers/admin',
    purpose: 'the admin port: probes, metrics, the revocation API and RFC 7009',
    imports: ['revocation', 'http'],
  },
  {
    path: 'gate',
    purpose: 'the decision: routes, the checks in order, whether a token still stands, open connections',
    imports: [],
  },
  {
    path: 'upstream',
    purpose: 'the way to the app: forwarding, connection slots, tunnels, faults, probes',
    imports: ['http'],
  },
  {
    path: 'http',
    purpose: 'what every server needs: the message gate, headers, refusals, listeners, limits',
    imports: [],
  },
  {
    path: 'token',
    purpose: 'where a token is, what it says, whether its signature and claims are right; keys and signing',
    imports: ['outbound-http'],
  },
  {
    path: 'revocation',
    purpose: 'rules, the compact list in memory, the ordered log in Redis',
    imports: ['redis', 'outbound-http'],
  },
  {
    path: 'refresh',
    purpose: 'the next token of a session, signed here or fetched from the identity provider',
    // A token that no gate would admit is not renewed.
    imports: ['gate', 'redis', 'outbound-http'],
  },
  {
    path: 'redis',
    purpose: 'connections to Redis, Sentinel and Cluster, their errors and checks; belongs to no feature',
    imports: ['outbound-http'],
  },
  {
    path: 'outbound-http',
    purpose: 'one bounded question to another server, and the timer that survives a paused process',
    imports: [],
  },
  { path: 'telemetry', purpose: 'metrics, the access log and the log', imports: ['outbound-http'] },
  {
    path: 'config',
    purpose: 'options.ts is the table of settings; where values come from, what they may be, what contradicts',
    imports: [],
  },
  {
    path: 'kubernetes',
    purpose: 'the sidecar in a pod: manifests, injection, the injector, the checks of the doctor',
    imports: ['http', 'config', 'outbound-http'],
  },
  { path: 'runtime', purpose: 'the Node process: its version, garbage collection, event loop lag', imports: [] },
  {
    path: 'model',
    purpose: 'the vocabulary that several rooms share: refusal, decision, outcome, clock. It imports nothing',
    imports: [],
  },
]

interface SubRoom {
  readonly purpose: string
  readonly imports: readonly string[]
  readonly isClosed?: true
}

/** Folders within a room that obey too: each may import those named, and the top of its room unless it is closed. */
export const subRooms: Readonly<Record<string, SubRoom>> = {
  'revocation/rule': {
    purpose: 'what a rule is, what it matches, and how it is written in JSON',
    imports: [],
    isClosed: true,
  },
  'revocation/compact-list': {
    purpose: 'the rules in force, off the heap',
    imports: ['revocation/rule'],
    isClosed: true,
  },
  'revocation/log': {
    purpose: 'the ordered log: reading/ follows it, writing/ appends, trims and heals',
    imports: ['revocation/rule', 'revocation/compact-list'],
    isClosed: true,
  },
  'refresh/identity-provider': { purpose: 'the exchange, its lock, its back-off and sealed results', imports: [] },
  'token/extraction': { purpose: 'header, cookie and query', imports: [] },
  'token/keys': { purpose: 'key sets: fetched, cached, rotated, retired', imports: [] },
  'token/signing': { purpose: "the gate's own keys", imports: ['token/keys'] },
  'telemetry/logs': { purpose: 'the log, the access log, and their output', imports: [] },
  'telemetry/metrics': { purpose: 'the table of metrics, series, exposition', imports: [] },
  'upstream/tunnel': { purpose: 'WebSockets', imports: [] },
  'http/headers': { purpose: 'names, forwarding headers, identity, and what the app gets', imports: [] },
  'http/listener': { purpose: 'listening, TLS certificates, connections', imports: [] },
  'config/value-types': { purpose: 'durations, addresses, names, paths', imports: [], isClosed: true },
  'config/sources': { purpose: 'YAML, files, variables, flags, and watching them', imports: ['config/value-types'] },
  'config/checks': { purpose: 'settings that contradict each other', imports: ['config/value-types'] },
  'config/upgrade': {
    purpose: 'what an upgrade changes for given settings',
    imports: ['config/sources', 'config/value-types'],
  },
  'kubernetes/manifests': { purpose: 'reading and editing YAML objects', imports: [], isClosed: true },
  'kubernetes/injection': { purpose: 'the sidecar in a pod', imports: ['kubernetes/manifests'], isClosed: true },
  'kubernetes/injector': {
    purpose: 'the webhook and its certificate',
    imports: ['kubernetes/injection', 'kubernetes/manifests'],
    isClosed: true,
  },
  'kubernetes/doctor': {
    purpose: 'the checks of `sidegate doctor`',
    imports: ['kubernetes/injection', 'kubernetes/manifests'],
    isClosed: true,
  },
  'assembly/settings': { purpose: 'reading, applying and replacing settings', imports: [] },
  'commands/explain': { purpose: '', imports: ['commands/token'] },
  'commands/health': { purpose: '', imports: [] },
  'commands/keys': { purpose: 'generate and rotate', imports: ['commands/token'] },
  'commands/manifests': { purpose: 'inject, doctor, injector', imports: [] },
  'commands/revocations': { purpose: 'revoke, lift, list, import', imports: ['commands/token'] },
  'commands/run': { purpose: 'the gate, alone or with workers', imports: [] },
  'commands/settings': { purpose: 'check and schema', imports: [] },
  'commands/token': { purpose: 'mint and inspect', imports: [] },
  'demo/page': { purpose: '', imports: [] },
}
