// A gate in a network of its own that has one family of addresses alone. Wants root, iproute2, and python3 for a kernel without IPv6.

import { spawnSync } from 'node:child_process'
import { program } from './program.ts'

/** Refuses sockets of IPv6 as a kernel that was started with `ipv6.disable=1` does: a filter of system calls, as in seccomp(2). */
const WITHOUT_IPV6_SOCKETS = `
import ctypes, os, platform, struct, sys
number = {'x86_64': 41, 'aarch64': 198}[platform.machine()]
steps = [(0x20, 0, 0, 0), (0x15, 0, 3, number), (0x20, 0, 0, 16), (0x15, 0, 1, 10), (0x06, 0, 0, 0x50000 | 97), (0x06, 0, 0, 0x7fff0000)]
code = ctypes.create_string_buffer(b''.join(struct.pack('HBBI', *step) for step in steps))
class Program(ctypes.Structure):
    _fields_ = [('length', ctypes.c_ushort), ('steps', ctypes.c_void_p)]
libc = ctypes.CDLL(None, use_errno=True)
program = Program(len(steps), ctypes.addressof(code))
if libc.prctl(38, 1, 0, 0, 0) != 0 or libc.prctl(22, 2, ctypes.byref(program), 0, 0) != 0: sys.exit('no filter')
os.execvp(sys.argv[1], sys.argv[1:])
`

/** Starts the gate, asks both of its ports and \`sidegate health\` in the same network, and prints what they say. */
const ASK = `
const { spawn, spawnSync } = require('node:child_process')
const [, cli, settings, host] = process.argv
const child = spawn(process.execPath, [cli, 'run', '-c', settings], { stdio: ['ignore', 'pipe', 'pipe'] })
let output = ''
let isAsked = false
const end = (answer) => { console.log(JSON.stringify(answer)); child.kill('SIGKILL'); process.exit() }
const status = (url) => fetch(url).then((answer) => answer.status, (error) => String(error.cause?.code ?? error))
child.stderr.on('data', (bytes) => { output += bytes })
child.on('exit', () => end({ output }))
child.stdout.on('data', async (bytes) => {
  output += bytes
  const line = output.split('\\n').find((text) => text.includes('Sidegate is running'))
  if (line === undefined || isAsked) return
  isAsked = true
  const health = spawnSync(process.execPath, [cli, 'health'], { encoding: 'utf8' }).stdout.trim()
  const [proxy, admin] = [await status('http://' + host + ':8080/'), await status('http://' + host + ':9090/livez')]
  const { listen } = JSON.parse(line)
  end({ address: listen.address ?? 'workers', proxy, admin, health })
})
`

export interface Answers {
  readonly address: string
  readonly proxy: number | string
  readonly admin: number | string
  readonly health: string
}

const networks = {
  ipv4: '/bin/true',
  ipv6: 'ip address delete 127.0.0.1/8 dev lo',
  both: '/bin/true',
} as const

/** Why there can be no such network here; nothing where there can. */
export function whyNoNetwork(): string | undefined {
  const tried = spawnSync('unshare', ['-n', 'ip', 'link', 'set', 'lo', 'up'])
  if (tried.status !== 0) return 'unshare or iproute2 is missing, or may make no network namespaces'
  const filtered = spawnSync('python3', ['-c', WITHOUT_IPV6_SOCKETS, 'true'])
  return filtered.status === 0 ? undefined : 'python3 is missing, or may set no filter of system calls'
}

/** What a gate with these settings answers in a network with these addresses, asked at this host. */
export function askInNetwork(network: keyof typeof networks, host: string, settings: string): Answers {
  const filter = network === 'ipv4' ? ['python3', '-c', WITHOUT_IPV6_SOCKETS] : []
  const script = `ip link set lo up && ${networks[network]} && exec "$@"`
  const asking = [process.execPath, '-e', ASK, program, settings, host]
  const given = ['-n', 'sh', '-c', script, 'sh', ...filter, ...asking]
  const { stdout, stderr } = spawnSync('unshare', given, { encoding: 'utf8', timeout: 60_000 })
  if (stdout === '') throw new Error(`The network says nothing: ${stderr}`)
  return JSON.parse(stdout) as Answers
}
