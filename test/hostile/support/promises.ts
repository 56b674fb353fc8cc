import { appendFileSync } from 'node:fs'

/** What stagerd promises, whatever is done to it (test/hostile/README.md). */
export const PROMISES = ['escape', 'loss', 'leftover'] as const
export type Promised = (typeof PROMISES)[number]

/**
 * The file that `./scripts/test` gives to all of its tests: a line for each check, `PROMISE held` or `PROMISE broken WHAT`.
 * Workers share it, because the kernel appends short lines whole. Undefined in a run of single tests.
 */
const FILE = process.env.STAGERD_TEST_FIGURES

/** Where checks are recorded, so that a figure of zero can be told from checks that were not run. */
export class Figures {
  constructor(private readonly file: string | undefined) {}

  /**
   * Records one check of a promise.
   *
   * @param what was checked, as the subject of a sentence
   * @param found one line for each breach
   * @throws an error that names the breaches, so that the test fails, too
   */
  check(promise: Promised, what: string, found: readonly string[]): void {
    const breach = `${what}: ${found.join('; ')}`
    const outcome = found.length === 0 ? 'held' : `broken ${breach.replaceAll(/\s+/g, ' ').slice(0, 1000)}`
    if (this.file !== undefined) appendFileSync(this.file, `${promise} ${outcome}\n`)
    if (found.length > 0) throw new Error(`${promise}: ${breach}`)
  }
}

export const figures = new Figures(FILE)
