// What goes on after the response that began it, and has to end before the process does?

export interface Unfinished {
  add(work: Promise<unknown>): void
  /** Resolves when nothing is left of what was added. */
  settled(): Promise<void>
}

export function createUnfinished(): Unfinished {
  const all = new Set<Promise<unknown>>()
  return {
    add: (work) => {
      all.add(work)
      const remove = () => all.delete(work)
      work.then(remove, remove)
    },
    settled: async () => {
      while (all.size > 0) await Promise.allSettled(all)
    },
  }
}
