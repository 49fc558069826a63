// What may one of several workers take? Bounds that hold for the pod are divided; all else is the same for each.
import type { Config } from '../config/options.ts'

/** The settings of one of `count` workers. Parts are rounded up: a bound of 0 stays, and no other becomes 0. */
export function shareOf(config: Config, count: number): Config {
  const { limits, log } = config
  const part = (whole: number) => Math.ceil(whole / count)
  return {
    ...config,
    limits: {
      ...limits,
      maxConnections: part(limits.maxConnections),
      upstreamConnections: part(limits.upstreamConnections),
    },
    log: { ...log, refusedPerSecond: part(log.refusedPerSecond) },
  }
}
