// How long is "5m"? Durations of the settings: texts with one unit each, milliseconds in `Config`. A bare number is refused,
// as nobody can know its unit.
import { textKind, unexpected } from './kinds.ts'
import { quote } from './quote.ts'

/** A time span in milliseconds. Every duration in `Config` is one; only the text of the settings has units. */
export type Milliseconds = number

const DURATION_EXPECTS = 'a duration such as "500ms", "30s", "5m" or "12h"'
const DURATION_PATTERN = /^(0|[1-9][0-9]{0,11})(ms|s|m|h)$/
const unitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

interface DurationBounds {
  /** Default "0s". */
  readonly min?: string
  /** Default "576h": a timer of Node beyond 2^31 - 1 ms fires at once. */
  readonly max?: string
  /** The value becomes a NumericDate of a token, which counts seconds (RFC 7519 section 2). */
  readonly wholeSeconds?: true
}

/** A duration; the value is in milliseconds. */
export function duration(bounds: DurationBounds = {}) {
  const { min = '0s', max = '576h', wholeSeconds } = bounds
  return textKind<Milliseconds>({
    kind: 'duration',
    expects: DURATION_EXPECTS,
    pattern: DURATION_PATTERN.source,
    suggest: (input) =>
      typeof input === 'number' && Number.isSafeInteger(input) && input >= 0 ? `${input}s` : undefined,
    parse(text, reject) {
      const valueMs = parseDuration(text)
      if (valueMs === undefined) return reject(unexpected(DURATION_EXPECTS, text), durationHint(text))
      if (valueMs < durationMs(min)) return reject(`Expected a duration of at least "${min}", got ${quote(text)}`)
      if (valueMs > durationMs(max)) return reject(`Expected a duration of at most "${max}", got ${quote(text)}`)
      if (wholeSeconds && valueMs % 1000 !== 0) return reject(`Expected whole seconds, got ${quote(text)}`)
      return valueMs
    },
  })
}

/** Reads `500ms`, `30s`, `5m` or `12h` as milliseconds; undefined where the text is no duration. */
export function parseDuration(text: string): Milliseconds | undefined {
  const match = DURATION_PATTERN.exec(text)
  const unitMs = match?.[2] === undefined ? undefined : unitsMs[match[2]]
  return unitMs === undefined ? undefined : Number(match?.[1]) * unitMs
}

/** Writes a duration as the settings would: `90s`, `24h`. */
export function formatDuration(valueMs: Milliseconds): string {
  const unit = ['h', 'm', 's'].find((name) => valueMs >= (unitsMs[name] ?? 1) && valueMs % (unitsMs[name] ?? 1) === 0)
  return unit === undefined ? `${valueMs}ms` : `${valueMs / (unitsMs[unit] ?? 1)}${unit}`
}

function durationMs(text: string): Milliseconds {
  const valueMs = parseDuration(text)
  if (valueMs === undefined) throw new TypeError(`Cannot read the bound ${quote(text)}`)
  return valueMs
}

const longUnits: Readonly<Record<string, string>> = {
  s: 's',
  sec: 's',
  second: 's',
  m: 'm',
  min: 'm',
  minute: 'm',
  h: 'h',
  hour: 'h',
}

function durationHint(text: string): string | undefined {
  const match = /^\s*(\d{1,9})\s*([a-z]*)\s*$/i.exec(text)
  if (match?.[1] === undefined) return undefined
  const unit = (match[2] ?? '').toLowerCase()
  const count = Number(match[1])
  if (unit === '') return `did you mean "${count}s"`
  if (unit === 'd' || unit === 'day' || unit === 'days') return `did you mean "${count * 24}h"`
  const short = unit === 'ms' ? 'ms' : (longUnits[unit] ?? longUnits[unit.replace(/s$/, '')])
  return short === undefined ? undefined : `did you mean "${count}${short}"`
}
