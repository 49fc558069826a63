// Which entries of the log could not be taken as they stand, and who is told? The first few with their reason, the others
// as a number, in at most one line a minute: whoever can write to the log must not be able to flood ours.

import type { Clock } from '../../../model/clock.ts'
import type { Logger } from '../../../model/logger.ts'

export interface Complaints {
  /** Notes an entry by its id, and what is wrong with it in words that hold none of its values. */
  note(topic: Topic, id: string, problem: string): void
  /** Writes what was noted since the last line, where that was long enough ago. */
  tell(): void
}

export type Topic = keyof typeof TOPICS

const TOPICS = {
  skipped: { level: 'warn', message: 'Skipped entries of the revocation log that are not rules' },
  guessed: {
    level: 'warn',
    message: 'Read entries of the revocation log as against every token that was issued before they were written',
  },
  overruled: {
    level: 'warn',
    message: 'Entries of the revocation log do not count: a copy of the same rule is known that is later',
  },
  failed: { level: 'error', message: 'Cannot hold rules of the revocation log: the copy is stale until they end' },
} as const

const TELL_EVERY_MS = 60_000
const MAX_EXAMPLES = 3
// An id is two numbers; what is longer is none.
const MAX_ID_CHARACTERS = 40

/** Makes a place for complaints about one log. */
export function createComplaints(parts: { readonly clock: Clock; readonly log: Logger }): Complaints {
  const topics = {
    skipped: createTopic('skipped', parts),
    guessed: createTopic('guessed', parts),
    overruled: createTopic('overruled', parts),
    failed: createTopic('failed', parts),
  } satisfies Record<Topic, unknown>

  return Object.freeze({
    note: (topic, id, problem) => topics[topic].note(id.slice(0, MAX_ID_CHARACTERS), problem),
    tell: () => {
      for (const topic of Object.values(topics)) topic.tell()
    },
  } satisfies Complaints)
}

function createTopic(topic: Topic, { clock, log }: { readonly clock: Clock; readonly log: Logger }) {
  const { level, message } = TOPICS[topic]
  let entries = 0
  let examples: string[] = []
  let upTo = ''
  let toldMs = Number.NEGATIVE_INFINITY

  return {
    note: (id: string, problem: string) => {
      entries += 1
      upTo = id
      if (examples.length < MAX_EXAMPLES) examples.push(`${id}: ${problem}`)
    },
    tell: () => {
      const nowMs = clock()
      if (entries === 0 || Math.abs(nowMs - toldMs) < TELL_EVERY_MS) return
      log[level]({ entries, examples, upTo }, message)
      toldMs = nowMs
      entries = 0
      examples = []
    },
  }
}
