// Does good traffic survive a flood of junk? One real gate and an app; 200 remembered tokens at a fixed rate from one
// process, junk at five times what the gate can verify from another. Prints what was served, how fast, and what the gate
// turned away. Run it on a quiet machine with two cores or more:
//   node bench/overload.ts [seconds] [good requests per second]
import { makeKey } from '../test/support/tokens.ts'
import { ask, startGateUnderLoad } from './gate-process.ts'
import type { GoodAnswer, GoodOrder } from './overload-good.ts'
import type { JunkAnswer, JunkOrder } from './overload-junk.ts'

const seconds = Number(process.argv[2] ?? 15)
const perSecond = Number(process.argv[3] ?? 300)
const FLOOD = 5
const KNOWN = 200

const gate = await startGateUnderLoad()
const { port } = gate
const tokens = Array.from({ length: KNOWN }, (_, count) =>
  gate.mint(count % 2 === 0 ? 'ES256' : 'RS256', `known-${count}`),
)
for (const token of tokens) {
  const { status } = await fetch(`http://127.0.0.1:${port}/`, { headers: { authorization: `Bearer ${token}` } })
  if (status !== 200) throw new Error(`Cannot warm up: status is ${status}`)
}

const good = () => ask<GoodAnswer>('overload-good.ts', { port, tokens, perSecond, seconds } satisfies GoodOrder)
const junk = (algorithm: string, rest: Pick<JunkOrder, 'connections' | 'perSecond' | 'seconds'>) => {
  const token = gate.mint(algorithm, 'junk', makeKey(algorithm, gate.keys[algorithm]?.keyId))
  return ask<JunkAnswer>('overload-junk.ts', { port, token, ...rest } satisfies JunkOrder)
}

await phase('no junk', () => undefined)
for (const algorithm of ['RS256', 'ES256', 'ES512']) {
  // Few connections, one request on each: nothing is shed, so what is answered is what can be verified
  const alone = await junk(algorithm, { connections: 12, perSecond: 0, seconds: 3 })
  const capacity = Math.round(alone.answered / 3)
  await phase(`${algorithm} junk, ${FLOOD} × ${capacity}/s`, () =>
    junk(algorithm, { connections: 200, perSecond: capacity * FLOOD, seconds }),
  )
}
await phase('no junk any more', () => undefined)
await gate.stop()

async function phase(name: string, flood: () => Promise<JunkAnswer> | undefined): Promise<void> {
  const before = await gate.metrics()
  const [served, hostile] = await Promise.all([good(), flood()])
  const after = await gate.metrics()
  const grown = (metric: string, labels: string) => after(metric, labels) - before(metric, labels)
  const shed = grown('sidegate_decisions_total', 'reason="overloaded"')
  const wrong = grown('sidegate_decisions_total', 'reason="signature_invalid"')
  const share = (part: number, whole: number) => `${((100 * part) / whole).toFixed(2)} %`
  console.log(`\n${name}`)
  console.log(
    `  good served        ${share(served.served, served.sent)} of ${served.sent}  ${JSON.stringify(served.others)}`,
  )
  console.log(`  good p50, p99      ${served.p50.toFixed(1)} ms, ${served.p99.toFixed(1)} ms`)
  if (hostile !== undefined) {
    const rate = (count: number) => `${Math.round(count / seconds)}/s`
    console.log(
      `  junk               offered ${rate(hostile.offered)}, sent ${rate(hostile.sent)}, answered ${rate(hostile.answered)}`,
    )
    console.log(`  junk shed          ${share(shed, shed + wrong)} (${rate(shed)} shed, ${rate(wrong)} verified)`)
  }
  console.log(`  event loop p99     ${(after('nodejs_eventloop_lag_p99_seconds') * 1000).toFixed(1)} ms`)
  console.log(`  resident memory    ${(after('process_resident_memory_bytes') / 2 ** 20).toFixed(0)} MiB`)
}
