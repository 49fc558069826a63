// When is it time to collect the buffers of bytes that have been passed on? Each read of a socket takes a new buffer of up
// to 64 KiB, and V8 lets more than 64 MiB of them lie about before it looks. A long body then costs more processor time as
// well: each buffer is memory that has to be fetched and cleared first. It counts; it must never hold or look into a byte.

/** A quarter of what V8 would leave, and seldom reached by short answers: 8,000 of 2 KiB. */
const RECLAIM_BYTES = 16 * 1024 * 1024

/** Takes the size of each piece of a body, and calls `collect` each time that 16 MiB have come together. */
export function createReclaim(collect: () => void): (passedBytes: number) => void {
  let bytes = 0
  return (passedBytes) => {
    bytes += passedBytes
    if (bytes < RECLAIM_BYTES) return
    bytes = 0
    collect()
  }
}
