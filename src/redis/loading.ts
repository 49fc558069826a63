// Does a server that takes no commands load its data? It answers INFO meanwhile and refuses all else, and the client asks it on and
// on without a word. Must never wait long for what only explains a failure.
import type { RedisClient } from './client.ts'
import { refusalOf } from './refusals.ts'
import { within } from './waiting.ts'

const ANSWER_MS = 500

/** What to say of such a server; undefined where it does not load, does not answer, or is a whole Cluster. */
export async function whyLoading(client: RedisClient): Promise<string | undefined> {
  if (client.isCluster) return undefined
  try {
    const info = String(await within(client.call('info', 'persistence'), ANSWER_MS, () => {}))
    return /^loading:1/m.test(info) ? refusalOf(new Error('LOADING'))?.message : undefined
  } catch {
    return undefined
  }
}
