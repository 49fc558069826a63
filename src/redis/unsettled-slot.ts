// Which errors of a Redis Cluster say that it serves a slot by no node, or moves it: in words for an operator. Redis did not
// execute what it answered so.
import { refusalOf } from './refusals.ts'
import { redisMessageOf } from './report.ts'

/** A Cluster did not execute a command, because of where its slot is at the moment. */
export class SlotUnsettledError extends Error {
  override readonly name = 'SlotUnsettledError'
}

const MOVING = 'Redis is moving the slot of this list to another node; try again when it has moved'

/** The error in our words, where it says that the slot is not settled; undefined for every other. */
export function unsettledSlot(error: unknown): SlotUnsettledError | undefined {
  const message = redisMessageOf(error).replace(/^Too many Cluster redirections\. Last error: (?:\w*Error: )?/, '')
  const refusal = refusalOf(error)
  if (refusal?.code === 'CLUSTERDOWN') return new SlotUnsettledError(refusal.message)
  return /^(?:TRYAGAIN|ASK|MOVED) /.test(message) ? new SlotUnsettledError(MOVING) : undefined
}
