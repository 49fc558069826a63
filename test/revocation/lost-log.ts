// What the tests of lost logs share: what is in a log, and lines and replicas that are torn down after each test.
import { expect, vi } from 'vitest'
import { type FaultProxy, startFaultProxy } from '../support/fault-proxy.ts'
import { startRedis, type TestRedis } from '../support/redis.ts'
import { type LocalGate, logKey, soon } from './harness.ts'

const cleanUps: (() => Promise<void>)[] = []

/** Ends every line and replica of a test. */
export async function cleanUp(): Promise<void> {
  for (const one of cleanUps.splice(0)) await one()
}

const entriesOf = async (server: TestRedis) =>
  (await server.command('xrange', logKey, '-', '+')) as [id: string, fields: string[]][]

/** The ids in the log, in order. */
export const idsOf = async (server: TestRedis) => (await entriesOf(server)).map(([id]) => id)

/** The values in the log, in order: what is written twice shows. */
export const valuesOf = async (server: TestRedis) =>
  (await entriesOf(server)).map(([, fields]) => {
    const at = fields.indexOf('value')
    return `${fields[at + 1]}${fields.includes('lifted') ? ' lifted' : ''}`
  })

/** Answers when the log holds exactly these. */
export const holdsAll = (server: TestRedis, ...expected: string[]) =>
  vi.waitFor(async () => expect((await valuesOf(server)).sort()).toEqual(expected.sort()), soon)

export const healedBy = (gates: readonly LocalGate[]) => gates.reduce((sum, gate) => sum + gate.seen.healed, 0)

/** A line to a server that can be broken. */
export async function line(port: number): Promise<FaultProxy & { readonly url: string }> {
  const proxy = await startFaultProxy(port)
  cleanUps.push(proxy.stop)
  return { ...proxy, url: `redis://127.0.0.1:${proxy.port}/0` }
}

/** A replica that is in touch with the master behind this port. */
export async function replicaOf(port: number): Promise<TestRedis> {
  const replica = await startRedis(['--replicaof', '127.0.0.1', String(port), '--repl-diskless-sync-delay', '0'])
  cleanUps.push(replica.stop)
  const info = () => replica.command('info', 'replication')
  await vi.waitFor(async () => expect(String(await info())).toContain('master_link_status:up'), soon)
  return replica
}
