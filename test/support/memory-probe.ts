// How much memory has this process had at most? Loaded into a gate before it starts. It looks often and leaves next to no
// garbage, since garbage of its own would bring about the collections that the gate is measured for.
const LOOK_MS = 10

const most = { rss: 0, allocated: 0 }
function look(): void {
  const { rss, heapUsed, external } = process.memoryUsage()
  most.rss = Math.max(most.rss, rss)
  most.allocated = Math.max(most.allocated, heapUsed + external)
}
setInterval(look, LOOK_MS).unref()

// Says what it was at most since the last time, and begins anew
process.on('SIGUSR2', () => {
  look()
  process.stderr.write(`memory ${JSON.stringify(most)}\n`)
  most.rss = 0
  most.allocated = 0
  look()
})
