// May a master speak for the list alone? Where writes need replicas, one that has lost them may have been replaced without knowing
// it: the other side of a broken network has a new master, and revokes there. Must never take a denied INFO for an alarm.
import type { Logger } from '../model/logger.ts'
import { onlineReplicas, type Probe } from './eviction-check.ts'

export interface LoneMaster {
  /** Whether this is a master with too few replicas in touch. Rejects where Redis does not answer. */
  isAlone(): Promise<boolean>
  /** The same, asked at most once a second, however many ask. */
  wasAloneLately(): Promise<boolean>
}

export interface LoneMasterParts {
  readonly probe: Probe
  readonly minReplicas: number
  readonly redis: string
  readonly log: Logger
}

const ASK_EVERY_MS = 1000

export function createLoneMaster({ probe, minReplicas, redis, log }: LoneMasterParts): LoneMaster {
  let isUnknownTold = false
  let lately: Promise<boolean> | undefined

  async function isAlone(): Promise<boolean> {
    const count = onlineReplicas(await replication())
    if (count === 'unknown') tellUnknown()
    else isUnknownTold = false
    return typeof count === 'number' && count < minReplicas
  }

  async function replication(): Promise<string> {
    try {
      return String(await probe('info', 'replication'))
    } catch (error) {
      // An ACL or a managed store: what else fails is no answer.
      if (error instanceof Error && error.name === 'ReplyError') return ''
      throw error
    }
  }

  function tellUnknown(): void {
    if (isUnknownTold) return
    isUnknownTold = true
    log.warn(
      { redis, minReplicas },
      'Redis does not say how many replicas it has (INFO replication): a master that was replaced counts as current; allow "+info"',
    )
  }

  return Object.freeze({
    isAlone,
    wasAloneLately: () => {
      if (lately !== undefined) return lately
      const asked = isAlone()
      lately = asked
      const forget = () => {
        lately = undefined
      }
      setTimeout(forget, ASK_EVERY_MS).unref()
      // The next one asks again.
      asked.catch(forget)
      return asked
    },
  } satisfies LoneMaster)
}

/** What stands in the way of a copy that was read from such a master. */
export const LONE_MASTER =
  'this master has fewer replicas in touch than "minReplicas" asks for, so another may have taken its place'
