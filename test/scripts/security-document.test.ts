import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url))
const DOCUMENT = readFileSync(path.join(CHECKOUT, 'docs/security.md'), 'utf8')

/** The rows of the tables of promises. */
const PROMISES = DOCUMENT.split('\n## ')
  .filter((section) => section.startsWith('Nothing '))
  .flatMap((section) => section.split('\n').filter((line) => line.startsWith('| ')))
  .filter((line) => !/^\| (promise|---) /.test(line))

const missing = (text: string) =>
  [...text.matchAll(/`((?:\.\/)?(?:test|scripts|isolation|daemon)\/[^`]*)`/g)]
    .map(([, name = '']) => name)
    .filter((name) => !existsSync(path.join(CHECKOUT, name)))

describe('docs/security.md', () => {
  it('names tests and sources that exist', () => {
    expect(missing(DOCUMENT)).toEqual([])
    expect(missing('shown by `test/engine/launch/none.test.ts`')).toEqual(['test/engine/launch/none.test.ts'])
  })

  it('promises nothing that no test shows', () => {
    expect(PROMISES.length).toBeGreaterThan(20)
    const unshown = PROMISES.filter((row) => !/`test\/[^`]*\.test\.ts`/.test(row.split(' | ').at(-1) ?? ''))
    expect(unshown).toEqual([])
  })
})
