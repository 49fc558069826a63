// The script of the demo's page: asks the app by `sidegate/client`, and shows what becomes of the token. Nothing here helps
// the token along: the bar jumps when a response brought the next one, in this tab or in another.
import { withRefresh } from '../../client/client.ts'

const ASK_EVERY_MS = 2_000
const LOOK_EVERY_MS = 250
const LIFETIME_SECONDS = 30
const WINDOW_SECONDS = 10
const ROWS_SHOWN = 8

interface Claims {
  readonly sub: string
  readonly sid: string
  readonly jti: string
  readonly exp: number
}

let shown: Claims | undefined
let refreshCount = 0

const api = withRefresh(fetch, localStorage, { onSessionEnd: showEnd })

function element(id: string): HTMLElement {
  const found = document.getElementById(id)
  if (found === null) throw new Error(`Cannot find the element "${id}"`)
  return found
}

function show(id: string, text: string): void {
  element(id).textContent = text
}

/** What a token says; that it is true is the gate's business. */
function claimsOf(token: string): Claims {
  return JSON.parse(atob((token.split('.')[1] ?? '').replace(/-/g, '+').replace(/_/g, '/')))
}

/** Looks at the held token: is it another one, and how much time is left? */
function look(): void {
  const token = api.token()
  const held = token === null ? undefined : claimsOf(token)
  if (held !== undefined && held.jti !== shown?.jti) showToken(held)
  shown = held
  const secondsLeft = held === undefined ? 0 : Math.max(0, held.exp - Date.now() / 1000)
  const state = held === undefined ? 'over' : secondsLeft < WINDOW_SECONDS ? 'due' : 'fresh'
  element('fill').style.setProperty('--left', String(Math.min(1, secondsLeft / LIFETIME_SECONDS)))
  element('fill').dataset.state = state
  element('bar').setAttribute('aria-valuenow', String(Math.round(secondsLeft)))
  show('seconds', String(Math.ceil(secondsLeft)))
  if (held !== undefined) showState(state, state === 'due' ? 'The next answer brings a new one' : 'Fresh')
}

function showState(state: string, text: string): void {
  element('state').dataset.state = state
  show('state', text)
}

function showToken(held: Claims): void {
  const isRefreshed = shown !== undefined && shown.sid === held.sid
  refreshCount = isRefreshed ? refreshCount + 1 : 0
  show('subject', held.sub)
  show('session', short(held.sid))
  show('token', short(held.jti))
  show('count', refreshCount === 1 ? 'once' : `${refreshCount} times`)
  show('news', isRefreshed ? 'The token was refreshed' : `Signed in as ${held.sub}`)
  if (!isRefreshed) return
  const left = shown === undefined ? 0 : Math.round(shown.exp - Date.now() / 1000)
  addRow('refreshes', [
    part('code', `${short(shown?.jti ?? '')} → ${short(held.jti)}`),
    part('span', `${left} s were left`, 'outcome'),
  ])
}

function showEnd(reason: string): void {
  showState('over', `Session over: ${reason}`)
  show('news', `The session is over: ${reason}`)
}

/** Sends one request, and shows what came back. */
async function ask(line: string, send: typeof fetch = api): Promise<void> {
  const [method = 'GET', path = '/'] = line.split(' ')
  try {
    const response = await send(path, { method, cache: 'no-store' })
    const body = await response.json()
    const outcome = response.ok ? (body.revoked ?? `admitted as ${body.identity['x-auth-subject']}`) : body.reason
    showAnswer(line, response.status, outcome, response.headers.get('www-authenticate'))
  } catch (error) {
    showAnswer(line, 0, error instanceof Error ? error.message : String(error), null)
  }
  look()
}

function showAnswer(line: string, status: number, outcome: string, challenge: string | null): void {
  const badge = part('span', status === 0 ? '–' : String(status), 'status')
  if (status >= 200 && status < 300) badge.dataset.good = ''
  const parts = [badge, part('code', line), part('span', outcome, 'outcome')]
  if (challenge !== null) parts.push(part('code', `WWW-Authenticate: ${challenge}`, 'challenge'))
  addRow('answers', parts)
}

async function signIn(): Promise<void> {
  const response = await fetch('/demo/sign-in', { method: 'POST' })
  const { token } = await response.json()
  api.setToken(token)
  look()
}

/** The newest is on top, and the list stays short. */
function addRow(list: string, parts: readonly HTMLElement[]): void {
  const row = document.createElement('li')
  row.append(part('time', new Date().toLocaleTimeString('en-GB')), ...parts)
  element(list).prepend(row)
  while (element(list).children.length > ROWS_SHOWN) element(list).lastElementChild?.remove()
}

function part(name: 'span' | 'code' | 'time', text: string, style = ''): HTMLElement {
  const made = document.createElement(name)
  made.textContent = text
  if (style !== '') made.className = style
  return made
}

function short(id: string): string {
  return id.slice(0, 8)
}

for (const button of document.querySelectorAll<HTMLButtonElement>('[data-ask]'))
  button.addEventListener('click', () =>
    ask(button.dataset.ask ?? '', button.dataset.withoutToken === undefined ? api : fetch),
  )
element('sign-in').addEventListener('click', signIn)
setInterval(look, LOOK_EVERY_MS)
setInterval(() => {
  const isAsking = document.querySelector<HTMLInputElement>('#keep-asking')?.checked
  if (isAsking && api.token() !== null) void ask('GET /orders')
}, ASK_EVERY_MS)

if (api.token() === null) await signIn()
await ask('GET /orders')
