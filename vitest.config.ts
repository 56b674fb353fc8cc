import { defineConfig } from 'vitest/config'

// Two projects: `fast` needs nothing but Node; `engine` needs root and a Docker Engine, and fails without them.
export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: ['test/engine/**', '**/node_modules/**'],
          testTimeout: 30_000,
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/engine/**/*.test.ts'],
          globalSetup: ['test/engine/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          // Two cores: more than two files at once only makes them wait for each other.
          maxWorkers: 2,
          pool: 'forks',
        },
      },
    ],
  },
})
