// Loaded into a gate before it starts, for measurements of its heap: SIGUSR2 collects all garbage at once.
process.on('SIGUSR2', () => globalThis.gc?.())
