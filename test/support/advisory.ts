// The whole gate with an application behind it, for the regression tests of public advisories: one place to try a trick.
import { afterAll, beforeAll } from 'vitest'
import { createWorld, type Gateway, reasonOf, startGateway, stopGateways, type World } from './gateway.ts'
import { type EchoOrigin, startEchoOrigin } from './origin.ts'
import { exchangeRaw } from './raw-client.ts'

export interface Stage {
  readonly world: () => World
  readonly gate: () => Gateway
  readonly app: () => EchoOrigin
  /** Asks for a path with a token; answers the status and, where it was refused, the reason. */
  readonly tryToken: (token: string, path?: string) => Promise<string>
  /** Sends lines after the request line and a Host, then closes; answers everything that came back. */
  readonly tryLines: (requestLine: string, ...lines: readonly string[]) => Promise<string>
}

/** Starts the gate before the tests of a file and stops it after them. `settings` are added to those of the issuer. */
export function setStage(settings = '', issuerAlgorithm = 'ES256'): Stage {
  let world: World
  let gate: Gateway
  let app: EchoOrigin
  beforeAll(async () => {
    world = createWorld(issuerAlgorithm)
    app = await startEchoOrigin()
    gate = await startGateway(world.settings(app.url, settings))
  })
  afterAll(async () => {
    await stopGateways()
    await app.close()
    world.remove()
  })
  return {
    world: () => world,
    gate: () => gate,
    app: () => app,
    tryToken: async (token, path = '/orders') => {
      const response = await gate.request(path, { token })
      const reason = await reasonOf(response)
      return reason === undefined ? String(response.status) : `${response.status} ${reason}`
    },
    tryLines: (requestLine, ...lines) =>
      exchangeRaw(
        gate.port,
        `${[requestLine, 'Host: app.example', 'Connection: close', ...lines].join('\r\n')}\r\n\r\n`,
      ),
  }
}
