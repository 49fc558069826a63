// Some gates of the fleet, in one process: each asks its own list about a token as soon as the list changed.
import { setTimeout as sleep } from 'node:timers/promises'
import { createList } from '../src/revocation/compact-list/list.ts'
import { createFeed } from '../src/revocation/log/reading/feed.ts'
import { silentLog as log, silentObserver as observe } from '../src/revocation/log/report.ts'
import { createRedisStore } from '../src/revocation/log/store.ts'
import { createLocalRevocations } from '../src/revocation/revocations.ts'
import { verifiedToken } from '../test/support/tokens.ts'
import type { Enforced } from './propagation.ts'

const [, , url = '', count = '1'] = process.argv
const shared = {
  clock: Date.now,
  monotonic: () => performance.now(),
  maxLifetimeSeconds: () => 3600,
  toleranceSeconds: () => 5,
  observe,
  log,
}

const fleet = Array.from({ length: Number(count) }, () => {
  const store = createRedisStore({ ...shared, url, list: 'default' })
  const list = createList({ toleranceSeconds: 5 })
  const feed = createFeed({ ...shared, store, list, maxStalenessMs: 30_000 })
  const gate = createLocalRevocations({ ...shared, store, list, feed, maxStalenessMs: 30_000, whenStale: 'deny' })
  gate.onChange((rule) => {
    const verdict = gate.check(verifiedToken({ jti: rule.value }))
    if (verdict instanceof Promise || verdict.state !== 'revoked') return
    const enforced: Enforced = { jti: rule.value, atMs: performance.timeOrigin + performance.now() }
    process.send?.(enforced)
  })
  gate.start()
  return gate
})

while (!fleet.every((gate) => gate.readiness().ready)) await sleep(10)
process.send?.('ready')
