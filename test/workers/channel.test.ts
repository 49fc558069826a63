// Questions between two processes, over two ends in one.
import { EventEmitter } from 'node:events'
import { expect, it } from 'vitest'
import { createChannel, type Port } from '../../src/workers/channel.ts'

interface Answers {
  readonly sum: number
  readonly broken: string
  readonly never: string
}

const answering = {
  sum: () => 3,
  broken: () => {
    throw new Error('it is broken')
  },
  never: () => new Promise<string>(() => {}),
}

function twoEnds(timeoutMs = 10_000) {
  const [here, there] = [new EventEmitter(), new EventEmitter()]
  const port = (own: EventEmitter, other: EventEmitter): Port => ({
    send: (message) => void setImmediate(() => other.emit('message', structuredClone(message))),
    onMessage: (listener) => void own.on('message', listener),
  })
  const asker = createChannel<Answers, object>(port(here, there), { answering: {}, timeoutMs })
  const answerer = createChannel<object, Answers>(port(there, here), { answering, timeoutMs })
  return { asker, answerer, here, there }
}

it('each question gets its own answer, also when both ask at once', async () => {
  const { asker } = twoEnds()
  expect(await Promise.all([asker.ask('sum'), asker.ask('sum')])).toEqual([3, 3])
})

it('a failure on the other side comes back with its message', async () => {
  await expect(twoEnds().asker.ask('broken')).rejects.toThrow('it is broken')
})

it('who does not answer is not waited for, and an answer that comes later is for nobody', async () => {
  const { asker, here } = twoEnds(1_000)
  await expect(asker.ask('never')).rejects.toThrow('No answer to "never" in 1000 ms')
  here.emit('message', { id: 1, answer: 'late' })
  expect(await asker.ask('sum')).toBe(3)
})

it('the end of the other process ends the waiting', async () => {
  const { asker } = twoEnds()
  const asked = asker.ask('never')
  asker.close()
  await expect(asked).rejects.toThrow('The other process has ended')
})

it('what is no message of ours is left alone, and a question that nobody knows is refused', async () => {
  const { asker, there } = twoEnds()
  for (const message of [undefined, null, 'text', {}, { id: 'one' }, { id: 7 }]) there.emit('message', message)
  await expect(asker.ask('toString' as 'sum')).rejects.toThrow('Unknown question "toString"')
})
