import { expect } from 'vitest'

/**
 * How long the failed tests of a file may take together, in milliseconds. One that waits in vain takes a minute or two. What
 * it waits for, such as an Engine, is often shared by all tests after it, of which each would wait as long.
 */
const BUDGET_MS = 150_000

/** How long one waits in such a file from then on, in milliseconds: its hooks clean up. */
const SHORT_MS = 5_000

/** By test file: the time that its failed tests have taken. Files share a process. */
const lost = new Map<string, number>()

/** Counts the time of a failed test. */
export function lose(file: string, milliseconds: number): void {
  lost.set(file, (lost.get(file) ?? 0) + milliseconds)
}

/** Whether the rest of the file is not to be run: with a sentence that says why, or undefined. */
export function whyGivenUp(file: string): string | undefined {
  const seconds = Math.round((lost.get(file) ?? 0) / 1000)
  if (seconds * 1000 < BUDGET_MS) return undefined
  return `Not run: the failed tests of this file have taken ${seconds} s.`
}

/** How long to wait for what usually takes no longer than `milliseconds`: less where too much has been waited for in vain. */
export function patience(milliseconds: number): number {
  const { testPath } = expect.getState()
  return testPath !== undefined && whyGivenUp(testPath) !== undefined ? Math.min(milliseconds, SHORT_MS) : milliseconds
}
