// The times of a token, for people: when, and how far from now.

const NAMES: readonly (readonly [claim: string, meaning: string])[] = [
  ['auth_time', 'authenticated'],
  ['iat', 'issued'],
  ['nbf', 'valid from'],
  ['exp', 'expires'],
]

/** Lines such as `expires  2026-11-24T12:00:00Z, in 4 min 59 s`. */
export function describeTimes(claims: Readonly<Record<string, unknown>>, nowSeconds: number): readonly string[] {
  return NAMES.flatMap(([claim, meaning]) => {
    const at = claims[claim]
    return typeof at === 'number' ? [`${meaning.padEnd(14)}${isoTime(at)}, ${distance(at - nowSeconds)}`] : []
  })
}

/** `2026-11-24T12:00:00Z`; what no calendar has is printed as it is. */
export function isoTime(seconds: number): string {
  const date = new Date(seconds * 1000)
  return Number.isNaN(date.getTime()) ? String(seconds) : date.toISOString().replace(/\.\d+Z$/, 'Z')
}

/** `in 4 min 59 s`, `12 s ago`, `now`. */
export function distance(seconds: number): string {
  const whole = Math.round(seconds)
  if (whole === 0) return 'now'
  const parts = [
    [86_400, 'd'],
    [3600, 'h'],
    [60, 'min'],
    [1, 's'],
  ] as const
  let rest = Math.abs(whole)
  const words: string[] = []
  for (const [unit, name] of parts) {
    const count = Math.floor(rest / unit)
    if (count > 0 && words.length < 2) words.push(`${count} ${name}`)
    rest -= count * unit
  }
  return whole > 0 ? `in ${words.join(' ')}` : `${words.join(' ')} ago`
}
