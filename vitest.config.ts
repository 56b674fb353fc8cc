import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'
import { SlowFilesFirst } from './test/support/slow-files-first.js'

/** A busy host may need seconds for what usually takes milliseconds. Only a test that fails waits so long. */
const expectation = { poll: { timeout: 15_000 } }

/** A test after many that have waited in vain does not wait too. What each file costs can be written down. */
const setupFiles = ['test/support/give-up-file.ts', 'test/support/processor-time-file.ts']

/**
 * Node.js reads these certificates at each start, which takes it longer than all else, and tests start it many hundred times. Who
 * downloads something has them under the other name (test/engine/support/tarballs.ts).
 */
const env = { NODE_EXTRA_CA_CERTS: '', CERTIFICATES_OF_HOST: process.env['NODE_EXTRA_CA_CERTS'] ?? '' }

// `fast` needs nothing but Node; `engine` needs root and a Docker Engine, and fails without them; `machine` stops the
// services of its host, and runs only in a machine of its own (./scripts/test --engine NAME). `demos` takes minutes, and is
// run by ./scripts/soak.
//
// Neither is isolated: to load the modules and a process again for each file takes seconds. No test mocks a module or changes
// the environment of the process.
export default defineConfig({
  test: {
    sequence: { sequencer: SlowFilesFirst },
    projects: [
      {
        test: {
          name: 'fast',
          include: ['test/**/*.test.ts'],
          exclude: [
            'test/engine/**',
            'test/hostile/engine/**',
            'test/machine/**',
            'test/demos/**',
            '**/node_modules/**',
          ],
          testTimeout: 30_000,
          expect: expectation,
          setupFiles,
          env,
          // By default, vitest leaves a processor idle: of two, that is half of the host. Some tests wait for time to pass.
          maxWorkers: availableParallelism() + 1,
          isolate: false,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'engine',
          include: ['test/engine/**/*.test.ts', 'test/hostile/engine/**/*.test.ts'],
          globalSetup: ['test/engine/support/global-setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          expect: expectation,
          setupFiles,
          env,
          // Two cores: a test often waits for the Engine and for programs in containers, so a third file keeps them busy.
          maxWorkers: 3,
          pool: 'forks',
          isolate: false,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'machine',
          include: ['test/machine/**/*.test.ts'],
          globalSetup: ['test/machine/support/global-setup.ts'],
          testTimeout: 240_000,
          hookTimeout: 300_000,
          expect: expectation,
          maxWorkers: 1,
          pool: 'forks',
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'demos',
          include: ['test/demos/**/*.test.ts'],
          globalSetup: ['test/engine/support/global-setup.ts'],
          testTimeout: 1_200_000,
          expect: expectation,
          maxWorkers: 1,
          pool: 'forks',
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
})
