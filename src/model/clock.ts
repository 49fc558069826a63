// Time comes in through arguments, so that the core is tested without waiting.

/** Answers the wall clock in milliseconds since the epoch. */
export type Clock = () => number
