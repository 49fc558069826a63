// What carries the next token to its holder: the vocabulary of who makes it and of who hands it out with an answer.
import type { Permit } from './decision.ts'

/** One header line that is added to a response. */
interface HeaderLine {
  readonly name: string
  readonly value: string
}

/** How the next token reaches the client: the configured header, and Set-Cookie where the token came in a cookie. */
export type Delivery = readonly HeaderLine[]

/**
 * Answers the next token for an admitted request, or nothing. Asked when the response of the application starts. Those of
 * the refresh never reject.
 */
export type Refresh = (permit: Permit) => Delivery | undefined | Promise<Delivery | undefined>
