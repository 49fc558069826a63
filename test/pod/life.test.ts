// The life of a pod, with real processes in a network of its own, in the order in which Kubernetes starts and stops a native
// sidecar and its app.
import { once } from 'node:events'
import { Agent, get } from 'node:http'
import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { createWorld, reasonOf, type World } from '../support/gateway.ts'
import { freePort } from '../support/listen.ts'
import { makePod, type Pod, whyNoPod } from '../support/pod.ts'
import { rawClient } from '../support/raw-client.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'

const whyNot = whyNoPod()
if (whyNot !== undefined) console.log(`The life of a pod is not tried: ${whyNot}`)

/** How long a node goes on sending to a pod that is gone from the endpoints. */
const WITHDRAWAL_MS = 1000
/** `preStop: sleep` of the app: longer than that. */
const PRE_STOP_MS = 2000
const GATE_PORT = 8080
const patience = { timeout: 20_000, interval: 50 }

describe.skipIf(whyNot !== undefined)('a pod', { timeout: 60_000 }, () => {
  let world: World
  const pods: Pod[] = []
  const servers: TestRedis[] = []

  beforeEach(() => {
    world = createWorld()
  })

  afterEach(async () => {
    await Promise.all(pods.splice(0).map((each) => each.remove()))
    await Promise.all(servers.splice(0).map((redis) => redis.stop()))
    world.remove()
  })

  function pod(number: number, settings?: string): Pod {
    const made = makePod(world, number, settings)
    pods.push(made)
    return made
  }

  const ask = (to: Pod, path = '/', token = world.mint()) =>
    fetch(`${to.address}${path}`, { headers: { authorization: `Bearer ${token}` } })

  /** The gate, and the app once the gate has started. */
  async function start(each: Pod) {
    const gate = each.startGate()
    await vi.waitFor(async () => expect(await each.hasStarted(), gate.output()).toBe(true), patience)
    return { gate, app: each.startApp() }
  }

  async function startReady(each: Pod) {
    const containers = await start(each)
    await vi.waitFor(async () => expect(await each.isReady()).toBe(true), patience)
    return containers
  }

  test('has started before its app, is ready when both are, and is reached through the gate alone', async () => {
    const port = await freePort()
    const redis = await startRedis([], { port, isHalted: true })
    servers.push(redis)
    const own = pod(1, `revocation: { redis: redis://198.18.1.1:${port}/0 }\n`)
    const gate = own.startGate()
    await vi.waitFor(async () => expect(await own.hasStarted(), gate.output()).toBe(true), patience)
    expect(await own.readiness()).toEqual([503, 503])

    own.startApp()
    await vi.waitFor(async () => expect(await own.readiness()).toEqual([503, 200]), patience)
    expect(await own.isReady()).toBe(false)

    await redis.resume(['--bind', '127.0.0.1', own.nodeIp, '--protected-mode', 'no'])
    await vi.waitFor(async () => expect(await own.isReady()).toBe(true), patience)
    expect(await (await ask(own)).text()).toBe(`hello from ${own.name}`)
    expect((await fetch(own.address)).status).toBe(401)
    await expect(fetch(`http://${own.ip}:3000/`)).rejects.toThrow()
  })

  test('is not ready while its app is down, and is again when it has come back', async () => {
    const own = pod(1)
    const { app } = await startReady(own)
    app.child.kill('SIGKILL')
    await app.exited
    expect(await own.readiness()).toEqual([200, 503])
    expect(await reasonOf(await ask(own))).toBe('upstream_unreachable')
    own.startApp()
    await vi.waitFor(async () => expect(await own.isReady()).toBe(true), patience)
    expect((await ask(own)).status).toBe(200)
  })

  test('gives way to the next one under load without one failed request', async () => {
    const [old, next] = [pod(1), pod(2)]
    const before = await startReady(old)
    const load = startLoad([old], world.mint())
    await vi.waitFor(() => expect(load.answeredBy(old)).toBeGreaterThan(20), patience)

    await startReady(next)
    load.endpoints([old, next])
    await vi.waitFor(() => expect(load.answeredBy(next)).toBeGreaterThan(20), patience)
    // The pod is deleted: all its hooks run at once, and it is gone from the endpoints, which each node learns in its own
    // time, while its app still waits.
    const slow = ask(old, '/slow')
    const withdrawn = wait(WITHDRAWAL_MS).then(() => load.endpoints([next]))
    expect(await old.preStop()).toBe(200)
    expect(await old.readiness()).toEqual([200, 200])
    await wait(PRE_STOP_MS)
    await withdrawn
    before.app.child.kill('SIGTERM')
    expect(await before.app.exited).toBe(0)
    before.gate.child.kill('SIGTERM')
    expect(await before.gate.exited).toBe(0)
    expect(await (await slow).text()).toBe(`hello from ${old.name}`)

    const sofar = load.answeredBy(next)
    await vi.waitFor(() => expect(load.answeredBy(next)).toBeGreaterThan(sofar + 20), patience)
    const { failed, answered } = await load.stop()
    expect(failed).toEqual([])
    expect(answered).toBeGreaterThan(100)
  })

  test('answers 503 draining on connections that are still open when its app has stopped before the gate', async () => {
    const own = pod(1)
    const { gate, app } = await startReady(own)
    const client = rawClient(GATE_PORT, own.ip)
    client.send('GET / HTTP/1.1\r\nHost: orders\r\n')
    await once(client.socket, 'connect')
    // The gate has the beginning of the request once a later one has been answered.
    expect((await ask(own)).status).toBe(200)
    app.child.kill('SIGTERM')
    expect(await app.exited).toBe(0)
    gate.child.kill('SIGTERM')
    await vi.waitFor(async () => expect((await own.readiness())[0]).not.toBe(200), patience)
    client.send(`Authorization: Bearer ${world.mint()}\r\n\r\n`)
    const answer = await client.closed()
    expect(answer).toMatch(/^HTTP\/1\.1 503 /)
    expect(answer).toMatch(/^Retry-After: 1\r$/im)
    expect(answer).toMatch(/^Connection: close\r$/im)
    expect(answer).toContain('urn:sidegate:refusal:draining')
    expect(await gate.exited).toBe(0)
  })

  test('of a Job is complete when its main container has ended: nothing holds up the gate', async () => {
    const own = pod(1)
    const gate = own.startGate()
    await vi.waitFor(async () => expect(await own.hasStarted(), gate.output()).toBe(true), patience)
    const held = rawClient(GATE_PORT, own.ip)
    await once(held.socket, 'connect')
    const job = own.startApp('job')
    expect(await job.exited).toBe(0)
    expect(gate.child.exitCode).toBeNull()
    gate.child.kill('SIGTERM')
    // Far below the 25 s that open requests would get.
    expect(await Promise.race([gate.exited, wait(10_000)])).toBe(0)
    await held.closed()
  })
})

interface Load {
  /** The pods to choose from, from now on, in turn. */
  readonly endpoints: (pods: readonly Pod[]) => void
  readonly answeredBy: (pod: Pod) => number
  /** Ends it and tells what was not answered with 200. */
  readonly stop: () => Promise<{ readonly failed: readonly string[]; readonly answered: number }>
}

/**
 * Clients that ask all the time and try nothing twice: with a connection for each request, as a node spreads connections;
 * over connections that they keep for each pod, as an ingress does; and over one to the Service, which is to any pod, and
 * to that one for as long as it lasts. All with one token: of many first-seen ones a busy machine may refuse some.
 */
function startLoad(first: readonly Pod[], token: string): Load {
  let pods = first
  let turn = 0
  let isOver = false
  const failed: string[] = []
  const answers = new Map<string, number>()
  const agents = new Map<string, Agent>()
  const pick = (): Pod => {
    turn += 1
    const pod = pods[turn % pods.length]
    if (pod === undefined) throw new Error('There is no endpoint')
    return pod
  }
  const agentNamed = (name: string): Agent => {
    const agent = agents.get(name) ?? new Agent({ keepAlive: true, maxSockets: 4 })
    agents.set(name, agent)
    return agent
  }
  const alone = () => askOnce(pick().address, token, false)
  const keptForEachPod = () => {
    const { name, address } = pick()
    return askOnce(address, token, agentNamed(name))
  }
  const service = Object.assign(agentNamed('service'), { createConnection: () => connect(GATE_PORT, pick().ip) })
  const keptToAny = () => askOnce('http://orders', token, service)
  const client = async (askNext: () => Promise<string>) => {
    while (!isOver) {
      const answer = await askNext()
      const name = /^200 hello from (.+)$/.exec(answer)?.[1]
      if (name === undefined) failed.push(answer)
      else answers.set(name, (answers.get(name) ?? 0) + 1)
      await wait(10)
    }
  }
  const clients = [alone, keptForEachPod, keptToAny].flatMap((kind) => [kind, kind, kind, kind]).map(client)
  return {
    endpoints: (next) => {
      pods = next
    },
    answeredBy: (pod) => answers.get(pod.name) ?? 0,
    stop: async () => {
      isOver = true
      await Promise.all(clients)
      for (const agent of agents.values()) agent.destroy()
      return { failed, answered: [...answers.values()].reduce((sum, count) => sum + count, 0) }
    },
  }
}

function askOnce(address: string, token: string, agent: Agent | false): Promise<string> {
  return new Promise((resolve) => {
    const request = get(address, { agent, headers: { authorization: `Bearer ${token}` } }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (text: string) => {
        body += text
      })
      response.on('error', (error) => resolve(error.message))
      response.on('end', () => resolve(`${response.statusCode} ${body}`))
    })
    request.on('error', (error) => resolve(error.message))
  })
}
