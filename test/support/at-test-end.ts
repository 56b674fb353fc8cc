import { AsyncLocalStorage } from 'node:async_hooks'
import { aroundEach, onTestFinished, type TestContext } from 'vitest'

const contexts = new AsyncLocalStorage<TestContext>()

/**
 * Call this in a suite whose tests run concurrently: vitest itself only knows which test was started last, so without it
 * fixtures of one test would be removed at the end of another.
 */
export function withConcurrentFixtures(): void {
  aroundEach((runTest, context) => contexts.run(context, runTest))
}

/** Registers the undo of a fixture. It runs at the end of the test that has asked for the fixture. */
export function atTestEnd(undo: () => Promise<void> | void): void {
  const register = contexts.getStore()?.onTestFinished ?? onTestFinished
  register(undo)
}
