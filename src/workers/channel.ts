// Questions and answers between the first process and one of its workers, over the channel that Node gives them. Nobody
// waits for a process that does not answer.

import { messageOf } from '../model/error.ts'
import { within } from '../model/within.ts'

/** One end of a channel between two processes. */
export interface Port {
  readonly send: (message: object) => void
  readonly onMessage: (listener: (message: unknown) => void) => void
}

/** For each question, how it is answered here. */
export type Answering<Answers> = {
  readonly [Question in keyof Answers]: (detail: unknown) => Answers[Question] | Promise<Answers[Question]>
}

export interface Channel<Answers> {
  /** Rejects where the other process cannot answer, or not in time. */
  readonly ask: <Question extends keyof Answers & string>(
    question: Question,
    more?: { readonly detail?: unknown; readonly timeoutMs?: number },
  ) => Promise<Answers[Question]>
  /** Ends the waiting for answers that will not come any more. */
  readonly close: () => void
}

interface Waiting {
  readonly resolve: (answer: unknown) => void
  readonly reject: (error: Error) => void
}

/** Makes one end: `Theirs` are the answers of the other process, `Ours` those of this one. */
export function createChannel<Theirs, Ours>(
  port: Port,
  { answering, timeoutMs }: { readonly answering: Answering<Ours>; readonly timeoutMs: number },
): Channel<Theirs> {
  const waiting = new Map<number, Waiting>()
  let count = 0

  async function answer(question: string, id: number, detail: unknown): Promise<void> {
    try {
      if (!Object.hasOwn(answering, question)) throw new Error(`Unknown question "${question}"`)
      port.send({ id, answer: await answering[question as keyof Ours](detail) })
    } catch (error) {
      port.send({ id, failure: messageOf(error) })
    }
  }

  port.onMessage((message) => {
    if (typeof message !== 'object' || message === null || !('id' in message) || typeof message.id !== 'number') return
    if ('question' in message) {
      void answer(String(message.question), message.id, 'detail' in message ? message.detail : undefined)
      return
    }
    const asked = waiting.get(message.id)
    waiting.delete(message.id)
    if ('failure' in message) asked?.reject(new Error(String(message.failure)))
    else if ('answer' in message) asked?.resolve(message.answer)
  })

  return {
    ask: async (question, { detail, timeoutMs: patienceMs = timeoutMs } = {}) => {
      const id = ++count
      const { promise, resolve, reject } = Promise.withResolvers<unknown>()
      waiting.set(id, { resolve, reject })
      port.send({ id, question, detail })
      try {
        return (await within(promise, patienceMs, () => {
          throw new Error(`No answer to "${question}" in ${patienceMs} ms`)
        })) as Theirs[typeof question]
      } finally {
        waiting.delete(id)
      }
    },
    close: () => {
      for (const { reject } of waiting.values()) reject(new Error('The other process has ended'))
    },
  }
}
