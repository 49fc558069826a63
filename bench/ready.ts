// Is a gate ready: has it keys, and its list in full?
import { get } from 'node:http'

/** Asks its admin port once, over a connection of its own. */
export function isReady(adminPort: number): Promise<boolean> {
  return new Promise((resolve) => {
    get({ port: adminPort, host: '127.0.0.1', path: '/readyz', agent: false }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode === 200))
    }).on('error', () => resolve(false))
  })
}
