// Is this very token being verified right now? Who comes meanwhile shares the answer: a client that opens a hundred
// connections with a new token costs one signature. Nothing is kept once the answer is there.
import type { KeySource } from './keys/keys.ts'

export interface Flights<T> {
  /** The verification under way of this text, if it began with the keys that count now. */
  join(text: string): Promise<T> | undefined
  /** Lets others join until the answer is there. */
  begin(text: string, keys: Pick<KeySource, 'revision'>, answer: Promise<T>): Promise<T>
}

interface Flight<T> {
  readonly answer: Promise<T>
  readonly keys: Pick<KeySource, 'revision'>
  readonly revision: number
}

/** Makes the register of what is under way. */
export function createFlights<T>(): Flights<T> {
  const flights = new Map<string, Flight<T>>()
  return {
    join: (text) => {
      const flight = flights.get(text)
      // A key that was taken away meanwhile must not admit who came after it was.
      return flight !== undefined && flight.revision === flight.keys.revision() ? flight.answer : undefined
    },
    begin: (text, keys, answer) => {
      const landed = answer.finally(() => {
        if (flights.get(text) === flight) flights.delete(text)
      })
      const flight = { answer: landed, keys, revision: keys.revision() }
      flights.set(text, flight)
      return landed
    },
  }
}
