// The tests against a real kube-apiserver: `npm run test:cluster`. They are no part of `npm test`, as few machines have one.
import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['test/cluster/**/*.test.ts'],
    globalSetup: ['test/support/cluster-notice.ts'],
    pool: 'forks',
    // Each has an API server of its own.
    maxWorkers: 1,
    testTimeout: 60_000,
    hookTimeout: 180_000,
  },
})
