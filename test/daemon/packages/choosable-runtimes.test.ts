import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Refused, Unresolved } from '../../../base/errors.js'
import { choosableRuntimes, listOfRuntimes } from '../../../daemon/packages/choosable-runtimes.js'
import { parsePolicy } from '../../../daemon/packages/policy/parse-policy.js'
import { subjectRules } from '../../../daemon/packages/policy/subject-rules.js'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import { resolve } from '../../../daemon/packages/resolve.js'
import { capabilities, packagesOf } from './support/packages-as-text.js'
import { few, packages, policies, rulesOf } from './support/random-catalogue.js'

const NODES = `
  debian:  os.debian
  node-20: runtime.node runtime.node-20 runtime.node-20.9 <- os.debian
  node-9:  runtime.node runtime.node-9 <- os.debian
  node-18: runtime.node runtime.node-18 <- os.debian`

interface Case {
  readonly what: string
  readonly there?: string
  readonly dependencies?: string
  readonly policy?: string
  readonly choosable: string
}

const CASES: readonly Case[] = [
  { what: 'all that are there, the newest first', choosable: 'node-20.9 node-20 node-18 node-9 node' },
  { what: 'none on an empty node', there: '', choosable: '' },
  {
    what: 'none whose own dependencies are missing',
    there: `${NODES}
      node-22: runtime.node-22 <- os.ubuntu`,
    choosable: 'node-20.9 node-20 node-18 node-9 node',
  },
  {
    what: 'none that need another operating system than the dependencies',
    there: `${NODES}
      busybox: os.busybox
      python-3: runtime.python-3 <- os.busybox`,
    dependencies: 'os.busybox',
    choosable: 'python-3',
  },
  {
    what: 'none that are retired or not allowed',
    policy: `job::/ { package.retire "package::/::node-9" }
      job::/ { package.allow "package::/::node-18" }
      job::/ { package.allow "package::/::node-9" }
      job::/ { package.allow "package::/::debian" }`,
    choosable: 'node-18 node',
  },
  {
    what: 'none that are locked out',
    policy: 'job::/ { if (dependency fqnMatch runtime.node) { package.lock "package::/::node-18" } }',
    choosable: 'node-18 node',
  },
  {
    what: 'nothing of a policy for others',
    policy: 'job::/elsewhere { package.retire "package::/::node-9" }',
    choosable: 'node-20.9 node-20 node-18 node-9 node',
  },
  {
    what: 'first what policy prefers where no version is asked for',
    policy: 'job::/ { if (dependency equals runtime.node) { package.default "package::/::node-18" } }',
    choosable: 'node-18 node-20.9 node-20 node-9 node',
  },
  {
    what: 'last what policy refuses where no version is asked for',
    policy: 'job::/ { if (dependency equals runtime.node) { package.lock "package::/::node-9" } }',
    choosable: 'node-9 node node-20.9 node-20 node-18',
  },
]

describe('the runtimes that can be chosen', () => {
  it.each(CASES)('are $what', ({ there = NODES, dependencies = '', policy = '', choosable }) => {
    const named = [{ fqn: 'policydoc::/::rules', policy: parsePolicy(policy) }]
    const names = choosableRuntimes({
      subject: 'my-app',
      dependencies: capabilities(dependencies),
      index: new PackageIndex(packagesOf(there)),
      rules: subjectRules(named, { namespace: '/prod', name: 'my-app' }, 'staging'),
    })
    expect(names.join(' ')).toBe(choosable)
  })

  it('do not include the package itself', () => {
    const list = packagesOf(NODES)
    const [, , node9] = list
    const names = choosableRuntimes({
      subject: 'my-app',
      dependencies: [],
      index: new PackageIndex(list),
      ...(node9 ? { exclude: node9.uuid } : {}),
    })
    expect(names).not.toContain('node-9')
  })

  it('are exactly those with which the dependencies can be resolved', () => {
    const seen = { listed: 0, left: 0 }
    fc.assert(
      fc.property(packages, few(3), policies, (list, dependencies, policy) => {
        const question = { subject: 'app', index: new PackageIndex(list), rules: rulesOf(policy) }
        const names = choosableRuntimes({ ...question, dependencies })
        for (const name of question.index.namesOf('runtime')) {
          const resolvable = isResolvable({ ...question, dependencies: [...dependencies, { type: 'runtime', name }] })
          expect(names.includes(name)).toBe(resolvable)
          seen[resolvable ? 'listed' : 'left']++
        }
      }),
      { numRuns: 2_000 },
    )
    expect(Math.min(seen.listed, seen.left)).toBeGreaterThan(200)
  })

  it('fit into one variable', () => {
    const many = Array.from({ length: 10_000 }, (_, index) => `node-${index}.0`)
    const list = listOfRuntimes(many)
    expect(list.length).toBeLessThanOrEqual(32 * 1024)
    expect(list).toMatch(/^runtime\.node-0\.0 runtime\.node-1\.0 .*\.0$/)
  })
})

function isResolvable(question: Parameters<typeof resolve>[0]): boolean {
  try {
    resolve(question)
    return true
  } catch (error) {
    if (error instanceof Unresolved || error instanceof Refused) return false
    throw error
  }
}
