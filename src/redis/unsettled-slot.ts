// Which errors of a Redis Cluster say that it serves a slot by no node, or moves it: in words for an operator. Redis did not
// execute what it answered so.
import { messageOf } from './report.ts'

/** A Cluster did not execute a command, because of where its slot is at the moment. */
export class SlotUnsettledError extends Error {
  override readonly name = 'SlotUnsettledError'
}

const MOVING = 'Redis is moving the slot of this list to another node; try again when it has moved'
const DOWN =
  'The Redis Cluster serves the slot of this list by no node at the moment; try again when CLUSTER INFO says "cluster_state:ok"'

/** The error in our words, where it says that the slot is not settled; undefined for every other. */
export function unsettledSlot(error: unknown): SlotUnsettledError | undefined {
  const message = messageOf(error).replace(/^Too many Cluster redirections\. Last error: (?:\w*Error: )?/, '')
  if (/^CLUSTERDOWN /.test(message)) return new SlotUnsettledError(DOWN)
  return /^(?:TRYAGAIN|ASK|MOVED) /.test(message) ? new SlotUnsettledError(MOVING) : undefined
}
