// May a gate run on this Node? Older ones stop telling JavaScript about headers after about a thousand, while their parser
// still honours a Content-Length among the untold ones: what a gate forwards is then not what it judged
// (CVE-2026-58044). This file imports nothing, so that it runs everywhere.

/** The first release of each line that tells all headers or refuses the message. */
const FIRST_PATCHED: Readonly<Record<number, readonly [minor: number, patch: number]>> = {
  22: [23, 2],
  24: [18, 1],
  26: [5, 1],
}
const NEWEST_LISTED = 26

/** Answers whether this version of Node, such as `24.18.1`, has the fix. Odd lines before 26 never got it. */
export function isPatchedRuntime(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version
    .replace(/^v/, '')
    .split('.')
    .map((text) => Number.parseInt(text, 10))
  if (major > NEWEST_LISTED) return true
  const first = FIRST_PATCHED[major]
  return first !== undefined && (minor > first[0] || (minor === first[0] && patch >= first[1]))
}

/** The libraries of the gate do not load on older ones, whatever is asked for. */
const OLDEST: readonly [major: number, minor: number] = [22, 19]

/** Answers whether the gate can be loaded at all on this version. */
export function canLoad(version: string): boolean {
  const [major = 0, minor = 0] = version
    .replace(/^v/, '')
    .split('.')
    .map((text) => Number.parseInt(text, 10))
  return major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])
}

/** The one line for a version that is too old to load. */
export function tooOldMessage(version: string): string {
  return `Cannot run on Node ${version}, not even with --allow-unpatched-runtime: its libraries need Node ${OLDEST.join('.')}`
}

/** The one line for who starts it on an unpatched one. */
export function unpatchedMessage(version: string): string {
  return (
    `Cannot run on Node ${version}: it hides headers behind a flood of headers, so requests can be smuggled past a ` +
    'gate (CVE-2026-58044); use Node 22.23.2, 24.18.1, 26.5.1 or later, or pass --allow-unpatched-runtime'
  )
}
