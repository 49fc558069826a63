// Which of several keys signs at a time, and since when does a key sign no more? Pure: the switch from one key to the next
// is a matter of the clock alone, so that gates need not be told and need not agree.

/** `true`: since ever · a number: from that time on, in unix seconds · `false`: never. */
export type Active = boolean | number

interface Timed {
  readonly active: Active
}

/** From when on a key signs, in unix seconds; undefined for one that never does. */
export function beginsAtSeconds({ active }: Timed): number | undefined {
  if (active === false) return undefined
  return active === true ? Number.NEGATIVE_INFINITY : active
}

/** The key that signs at this time: the one whose time came last. Undefined where none has begun yet. */
export function signingAt<Key extends Timed>(keys: readonly Key[], nowSeconds: number): Key | undefined {
  let signing: Key | undefined
  let since: number | undefined
  for (const key of keys) {
    const begins = beginsAtSeconds(key)
    if (begins === undefined || begins > nowSeconds || (since !== undefined && begins <= since)) continue
    signing = key
    since = begins
  }
  return signing
}

/** When another key took over or will take over from this one; undefined where none does, or where it never signs. */
export function supersededAtSeconds(key: Timed, keys: readonly Timed[]): number | undefined {
  const begins = beginsAtSeconds(key)
  if (begins === undefined) return undefined
  const later = keys.map(beginsAtSeconds).filter((other) => other !== undefined && other > begins)
  return later.length === 0 ? undefined : Math.min(...(later as number[]))
}
