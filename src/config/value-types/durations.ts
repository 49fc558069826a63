// How long is "5m"? Durations of the settings: texts with one unit each, milliseconds in `Config`. A bare number is refused,
// as nobody can know its unit.

import { quote } from './quote.ts'
import { textKind, unexpected } from './value-types.ts'

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
      typeof input === 'number' && Number.isSafeInteger(input * 1000) && input >= 0
        ? Number.isInteger(input)
          ? `${input}s`
          : formatDuration(input * 1000)
        : undefined,
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

const DAY_MS = 86_400_000
const longUnits: Readonly<Record<string, number>> = {
  ...{ ms: 1, millisecond: 1, msec: 1, s: 1000, sec: 1000, second: 1000, m: 60_000, min: 60_000, minute: 60_000 },
  ...{ h: 3_600_000, hr: 3_600_000, hour: 3_600_000, d: DAY_MS, day: DAY_MS, w: 7 * DAY_MS, week: 7 * DAY_MS },
}

function longUnitsMs(unit: string): number | undefined {
  return longUnits[unit] ?? longUnits[unit.replace(/s$/, '')]
}

function durationHint(text: string): string | undefined {
  const plain = text.trim().toLowerCase()
  if (/^(off|none|never|no|false|infinite|infinity|unlimited)$/.test(plain))
    return 'a duration is a number and a unit; where the page of settings says "0s: no limit", write "0s"'
  if (/^\d{1,9}$/.test(plain)) return `did you mean "${Number(plain)}s"`
  // `PT1H30M` of ISO 8601, `1h30m` of Go, `1.5 hours`, `7d`
  const parts = [...plain.replace(/^pt?(?=\d)/, '').matchAll(/(\d{1,9}(?:\.\d{1,3})?)\s*([a-z]+)\s*|(.)/gs)]
  const valueMs = parts.reduce(
    (sum, [, count, unit = '']) => sum + Number(count) * (longUnitsMs(unit) ?? Number.NaN),
    0,
  )
  return Number.isSafeInteger(valueMs) && parts.length > 0 ? `did you mean "${formatDuration(valueMs)}"` : undefined
}
