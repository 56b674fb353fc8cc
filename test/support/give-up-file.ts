import { beforeEach } from 'vitest'
import { lose, whyGivenUp } from './lost-time.js'

/** The time limit of most tests of the Engine, in milliseconds. One with a longer limit is expected to take longer. */
const USUAL_LIMIT_MS = 120_000

// A setup file of vitest, which is run before each test file. A test that is not run counts as a failed one.
beforeEach((context) => {
  const { task } = context
  const why = whyGivenUp(task.file.filepath)
  context.skip(why !== undefined, why)
  const began = performance.now()
  const share = Math.min(1, USUAL_LIMIT_MS / task.timeout)
  context.onTestFailed(() => lose(task.file.filepath, (performance.now() - began) * share))
})
