// What is said of a Cluster whose slot is on the move, and when a write is sent again.
import { expect, test } from 'vitest'
import { createSteadyWrite } from '../../src/redis/slot-moves.ts'
import { SlotUnsettledError, unsettledSlot } from '../../src/redis/unsettled-slot.ts'

test.each([
  ['TRYAGAIN Multiple keys request during rehashing of slot', 'Redis is moving the slot'],
  ['ASK 1234 10.0.0.1:6379', 'Redis is moving the slot'],
  ['MOVED 1234 10.0.0.1:6379', 'Redis is moving the slot'],
  ['Too many Cluster redirections. Last error: ReplyError: ASK 1234 10.0.0.1:6379', 'Redis is moving the slot'],
  ['CLUSTERDOWN Hash slot not served', 'serves the slot of this list by no node'],
  ['Too many Cluster redirections. Last error: ReplyError: CLUSTERDOWN The cluster is down', 'by no node'],
])('%s is said in words that tell what to do', (message, words) => {
  const said = unsettledSlot(new Error(message))?.message
  expect(said).toContain(words)
  expect(said).toContain('try again when')
  expect(said).not.toMatch(/TRYAGAIN|ASK|MOVED|redirections|10\.0\.0\.1/)
  // The code stays where one Redis error has one cause.
  expect(said?.includes('(CLUSTERDOWN)')).toBe(message.includes('CLUSTERDOWN'))
})

test.each(['OOM command not allowed', 'Redis timed out: no answer in 1000 ms', 'NOPERM no permissions'])(
  '%s is about no slot',
  (message) => expect(unsettledSlot(new Error(message))).toBeUndefined(),
)

const xadd = ['xadd', 'log', '*'] as const
const hset = ['hset', 'key'] as const
const moving = () => Promise.reject(new SlotUnsettledError('moving'))

// holds: redis-cluster-moves-slot
test('a write whose outcome is not known is never sent again', async () => {
  let sent = 0
  const write = createSteadyWrite({
    transact: async () => {
      sent += 1
      throw new Error('Redis timed out')
    },
    send: moving,
  })
  await expect(write([xadd], [hset], 1000)).rejects.toThrow('timed out')
  expect(sent).toBe(1)
})

test('in parts, entries come first, and a part that fails makes the write uncertain', async () => {
  const sent: string[] = []
  const write = createSteadyWrite({
    transact: moving,
    send: async (commands) => {
      sent.push(...commands.map(([name]) => name))
      return commands[0]?.[0] === 'hset' ? moving() : ['1-0']
    },
  })
  await expect(write([xadd], [hset], 1000)).rejects.toThrow('moving')
  expect(sent).toEqual(['xadd', 'hset'])
})
