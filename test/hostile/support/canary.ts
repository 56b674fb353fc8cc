import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describeTree, makeTree } from '../../support/trees.js'
import { figures, type Figures } from './promises.js'

/**
 * A tree beside a target. It has what an attacker aims at, and must stay as it is, byte for byte:
 *
 *     place/
 *     ├── canary/
 *     │   ├── etc/passwd        writes through links
 *     │   └── hook              programs to be replaced
 *     └── …                     the target, made by the caller
 */
export class Canary {
  readonly #before: Readonly<Record<string, string>>
  readonly #names: readonly string[]

  /** @param names what else is in `place` */
  constructor(
    private readonly place: string,
    names: readonly string[],
    private readonly recorder: Figures = figures,
  ) {
    mkdirSync(join(place, 'canary'), { recursive: true })
    makeTree(join(place, 'canary'), {
      etc: { directory: true },
      'etc/passwd': { file: 'root:x:0:0:untouched\n', mode: 0o644, mtime: '1000000000.5' },
      hook: { file: '#!/bin/sh\n', mode: 0o755, mtime: '1000000000.25' },
    })
    this.#names = names
    this.#before = this.#look()
  }

  /** Counts a check, and throws if anything outside of the target has changed. */
  check(what: string): void {
    this.recorder.check('escape', what, differences(this.#before, this.#look()))
  }

  #look(): Record<string, string> {
    const tree = describeTree(this.place)
    const isTarget = (path: string) => this.#names.some((name) => path === name || path.startsWith(`${name}/`))
    return Object.fromEntries(Object.entries(tree).filter(([path]) => !isTarget(path)))
  }
}

/** One line for each key whose text is another one. */
export function differences(before: Readonly<Record<string, string>>, after: Readonly<Record<string, string>>) {
  return [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((key) => before[key] !== after[key])
    .map((key) => `${key}: ${before[key] ?? 'nothing'} became ${after[key] ?? 'nothing'}`)
}

/** The digest of a file that no test may change. */
export function digestOf(file: string): string {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}
