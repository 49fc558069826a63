// Which number stands for this text? Issuers and notes repeat themselves, so that rows hold a number and each text is kept
// once. Bounded: where there are too many different ones, the row has to hold the text itself.

/** The number of a text that is not shared; 0 is no text at all. */
export const notShared = 0xffff

export interface SharedTexts {
  /** Counts one more row that holds the text. Answers its number, or `notShared`. */
  take(text: string): number
  /** Counts one row less. */
  release(number: number): void
  textOf(number: number): string
  /** An estimate: the texts are on the heap of V8. */
  bytes(): number
}

const LIMIT = 4096
// Measured on V8: a string's header, its slot in the map and its row here.
const BYTES_PER_TEXT = 100

export function createSharedTexts(): SharedTexts {
  const numbers = new Map<string, number>()
  const texts: string[] = ['']
  const holders: number[] = [0]
  const unused: number[] = []
  let characters = 0

  function take(text: string): number {
    const known = numbers.get(text)
    if (known !== undefined) {
      holders[known] = (holders[known] ?? 0) + 1
      return known
    }
    if (numbers.size === LIMIT) return notShared
    const number = unused.pop() ?? texts.length
    numbers.set(text, number)
    texts[number] = text
    holders[number] = 1
    characters += text.length
    return number
  }

  function release(number: number): void {
    if (number === 0 || number === notShared) return
    const left = (holders[number] ?? 0) - 1
    holders[number] = left
    if (left > 0) return
    const text = textOf(number)
    numbers.delete(text)
    texts[number] = ''
    unused.push(number)
    characters -= text.length
  }

  const textOf = (number: number) => texts[number] ?? ''

  return Object.freeze({
    take,
    release,
    textOf,
    bytes: () => numbers.size * BYTES_PER_TEXT + characters * 2,
  } satisfies SharedTexts)
}
