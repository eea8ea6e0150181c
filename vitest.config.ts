import { defineConfig } from 'vitest/config'

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'web/src/**/*.test.ts', 'test/**/*.test.ts'],
    // Files share a worker's modules: no module of ours keeps state, and loading them anew costs more than the tests.
    isolate: false,
    allowOnly: false,
    // Long enough for a process on a busy machine: it ends what hangs, and measures nothing.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
})
