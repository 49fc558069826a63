// App servers that turn header names into variables, each with an app that prints what it was given: a line `NAME=value` for each
// variable, and in PHP a line `header:Name=value` for each header. They are those of Debian; where one is absent its tests say so.
import { type ChildProcess, spawn } from 'node:child_process'
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { eventually } from './eventually.ts'
import { freePort } from './listen.ts'

export interface AppServer {
  readonly name: string
  /** A spelling of X-Auth-Subject that the app cannot tell from the right one; absent where it can tell them all apart. */
  readonly confuses?: string
  /** What is not installed, if anything. */
  readonly missing: string | undefined
  readonly start: () => Promise<RunningServer>
}

export interface RunningServer {
  readonly port: number
  readonly url: URL
  readonly stop: () => void
}

const perlApp = `print "Content-Type: text/plain\\n\\n"; print "$_=$ENV{$_}\\n" for sort keys %ENV;`
const phpApp = `<?php
header('Content-Type: text/plain');
foreach ($_SERVER as $name => $value) if (is_string($value)) echo "$name=$value\\n";
foreach (getallheaders() as $name => $value) echo "header:$name=$value\\n";`
const pythonApp = `
def app(environ, start_response):
    start_response('200 OK', [('Content-Type', 'text/plain')])
    return [''.join(f'{name}={value}\\n' for name, value in environ.items() if isinstance(value, str)).encode('latin-1', 'replace')]
`
const werkzeug = `
import sys
from werkzeug.serving import run_simple
from app import app
run_simple('127.0.0.1', int(sys.argv[1]), app)`

/** All of them. */
export const appServers: readonly AppServer[] = [
  {
    name: 'lighttpd with a CGI script',
    confuses: 'X.Auth~Subject',
    missing: missingOf('/usr/sbin/lighttpd', '/usr/bin/perl'),
    start: () => startLighttpd('cgi.assign = ( ".pl" => "/usr/bin/perl" )', '/env.pl'),
  },
  {
    name: 'lighttpd with PHP by FastCGI',
    confuses: "X'Auth`Subject",
    missing: missingOf('/usr/sbin/lighttpd', '/usr/bin/php-cgi'),
    start: async () => {
      const php = await startPhp()
      const backend = `fastcgi.server = ( ".php" => (( "host" => "127.0.0.1", "port" => ${php.port} )) )`
      return both(await startLighttpd(backend, '/env.php'), php)
    },
  },
  {
    name: 'nginx with PHP by FastCGI, ignore_invalid_headers off',
    confuses: 'X.Auth_Subject',
    missing: missingOf('/usr/sbin/nginx', '/usr/bin/php-cgi'),
    start: startNginx,
  },
  {
    name: 'gunicorn',
    confuses: 'X_Auth-Subject',
    missing: missingOf('/usr/bin/gunicorn'),
    start: () => startPython((port) => ['/usr/bin/gunicorn', '-b', `127.0.0.1:${port}`, 'app:app']),
  },
  {
    name: 'werkzeug',
    confuses: 'X_Auth_Subject',
    missing: missingOf('/usr/bin/python3', '/usr/lib/python3/dist-packages/werkzeug/serving.py'),
    start: () => startPython((port) => ['/usr/bin/python3', '-c', werkzeug, String(port)]),
  },
  {
    name: 'waitress',
    missing: missingOf('/usr/bin/python3', '/usr/lib/python3/dist-packages/waitress/__main__.py'),
    start: () => startPython((port) => ['/usr/bin/python3', '-m', 'waitress', `--listen=127.0.0.1:${port}`, 'app:app']),
  },
]

function missingOf(...files: readonly string[]): string | undefined {
  return files.find((file) => {
    try {
      accessSync(file, constants.R_OK)
      return false
    } catch {
      return true
    }
  })
}

function folderOf(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'sidegate-app-server-'))
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text)
  return folder
}

/** Starts a program in a folder of its own, which goes with it, and waits until it takes connections. */
async function run(
  command: readonly string[],
  folder: string,
  port: number,
  environment: Record<string, string> = {},
): Promise<RunningServer> {
  const [program = '', ...rest] = command
  const env = { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', ...environment }
  const child: ChildProcess = spawn(program, rest, { cwd: folder, env, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (bytes: Buffer) => {
      output += bytes.toString()
    })
  await eventually(async () => {
    if (child.exitCode !== null) throw new Error(`${program} ended: ${output}`)
    await takesConnection(port)
  }, 1_000)
  const stop = (): void => {
    child.kill('SIGTERM')
    rmSync(folder, { recursive: true, force: true })
  }
  return { port, url: new URL(`http://127.0.0.1:${port}`), stop }
}

function takesConnection(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(void socket.destroy()))
    socket.once('error', reject)
  })
}

function both(front: RunningServer, back: RunningServer): RunningServer {
  const stop = (): void => {
    front.stop()
    back.stop()
  }
  return { ...front, stop }
}

async function startLighttpd(backend: string, script: string): Promise<RunningServer> {
  const port = await freePort()
  const folder = folderOf({ 'env.pl': perlApp, 'env.php': phpApp })
  writeFileSync(
    join(folder, 'lighttpd.conf'),
    `server.modules = ( "mod_rewrite", "mod_cgi", "mod_fastcgi" )
server.bind = "127.0.0.1"
server.port = ${port}
server.document-root = "${folder}"
url.rewrite-once = ( ".*" => "${script}" )
${backend}
`,
  )
  return run(['/usr/sbin/lighttpd', '-D', '-f', join(folder, 'lighttpd.conf')], folder, port)
}

async function startPhp(): Promise<RunningServer> {
  const port = await freePort()
  return run(['/usr/bin/php-cgi', '-b', `127.0.0.1:${port}`], folderOf({}), port, { PHP_FCGI_MAX_REQUESTS: '0' })
}

async function startNginx(): Promise<RunningServer> {
  const [port, php] = [await freePort(), await startPhp()]
  const folder = folderOf({ 'env.php': phpApp })
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; pid ${folder}/pid; error_log stderr;
events {}
http {
  access_log off; client_body_temp_path ${folder}; fastcgi_temp_path ${folder}; proxy_temp_path ${folder};
  uwsgi_temp_path ${folder}; scgi_temp_path ${folder};
  server {
    listen 127.0.0.1:${port};
    ignore_invalid_headers off;
    underscores_in_headers on;
    location / {
      fastcgi_param SCRIPT_FILENAME ${folder}/env.php;
      fastcgi_param REQUEST_METHOD $request_method;
      fastcgi_param QUERY_STRING $query_string;
      fastcgi_pass 127.0.0.1:${php.port};
    }
  }
}
`,
  )
  const nginx = await run(['/usr/sbin/nginx', '-p', folder, '-c', join(folder, 'nginx.conf')], folder, port)
  return both(nginx, php)
}

async function startPython(command: (port: number) => readonly string[]): Promise<RunningServer> {
  const port = await freePort()
  return run(command(port), folderOf({ 'app.py': pythonApp }), port, { PYTHONPATH: '.', PYTHONDONTWRITEBYTECODE: '1' })
}
