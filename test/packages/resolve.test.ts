import { describe, expect, it } from 'vitest'
import { Refused, Unresolved } from '../../base/errors.js'
import { jobRules } from '../../daemon/packages/policy/job-rules.js'
import { parsePolicy } from '../../daemon/packages/policy/parse-policy.js'
import { describeDecisions } from '../../daemon/packages/resolution/decision.js'
import { PackageIndex } from '../../daemon/packages/resolution/package-index.js'
import { resolve, type Resolution } from '../../daemon/packages/resolve.js'
import { capabilities, linesOf, packagesOf } from './support/packages-as-text.js'

interface Case {
  readonly what: string
  readonly wanted: string
  readonly packages: string
  readonly policy?: string
  /** Where `my-app` lives; `/` when left out. */
  readonly job?: string
}

function answer({ wanted, packages, policy = '', job = '/' }: Case): Resolution {
  const policies = [{ fqn: 'policydoc::/::rules', policy: parsePolicy(policy) }]
  return resolve({
    subject: 'my-app',
    dependencies: capabilities(wanted),
    index: new PackageIndex(packagesOf(packages)),
    rules: jobRules(policies, { namespace: job, name: 'my-app' }, 'staging'),
  })
}

/** The names of the closure from the operating system upward, or the error. */
function outcome(question: Case): string {
  try {
    return answer(question)
      .packages.map(({ name }) => name)
      .join(' ')
  } catch (error) {
    if (error instanceof Unresolved) return `unresolved: ${error.message}`
    if (error instanceof Refused) return `policy: ${error.message}`
    throw error
  }
}

const RUBIES = `
  debian:   os.linux os.debian
  ruby-2.0: runtime.ruby runtime.ruby-2.0 <- os.linux
  ruby-2.1: runtime.ruby runtime.ruby-2.1 <- os.linux
  /prod/pkg::ruby-2.2: runtime.ruby runtime.ruby-2.2 <- os.linux`

describe('a resolution', () => {
  const cases: (Case & { closure: string })[] = [
    { what: 'nothing needed', wanted: '', packages: 'debian: os.linux', closure: '' },
    {
      what: 'a chain: the operating system first',
      wanted: 'runtime.ruby',
      packages: `
        ruby: runtime.ruby <- os.ubuntu
        ubuntu: os.linux os.ubuntu`,
      closure: 'ubuntu ruby',
    },
    {
      what: 'a diamond is entered once',
      wanted: 'package.left package.right',
      packages: `
        debian: os.linux
        libc: package.libc <- os.linux
        left: package.left <- package.libc
        right: package.right <- package.libc`,
      closure: 'debian libc left right',
    },
    {
      what: 'a tie goes to the first imported',
      wanted: 'os.linux',
      packages: `
        busybox: os.linux
        debian: os.linux`,
      closure: 'busybox',
    },
    {
      what: 'two descriptions of the operating system end in one',
      wanted: 'os.linux os.debian-12',
      packages: `
        busybox: os.linux
        debian: os.linux os.debian-12`,
      closure: 'debian',
    },
    {
      what: 'the latest choice is reconsidered before an earlier one',
      wanted: 'os.linux runtime.node',
      packages: `
        busybox: os.linux os.busybox
        debian: os.linux os.debian
        node-20: runtime.node <- os.debian
        node-musl: runtime.node <- os.busybox`,
      closure: 'busybox node-musl',
    },
    {
      what: 'a conflict deep below a choice undoes that choice',
      wanted: 'package.app runtime.node',
      packages: `
        busybox: os.busybox
        debian: os.debian
        app-small: package.app <- package.libs
        libs: package.libs <- os.busybox
        app-large: package.app <- os.debian
        node: runtime.node <- os.debian`,
      closure: 'debian app-large node',
    },
    {
      what: 'a candidate whose own needs have no solution is given up for the next',
      wanted: 'runtime.node',
      packages: `
        debian: os.debian
        node-22: runtime.node <- os.plan9
        node-20: runtime.node <- os.debian`,
      closure: 'debian node-20',
    },
    {
      what: 'what is chosen already serves again, though another was imported first',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: `
        ruby-1.9: runtime.ruby
        ruby-2.0: runtime.ruby runtime.ruby-2.0`,
      closure: 'ruby-2.0',
    },
    {
      what: 'a circle is avoided where there is a way around it',
      wanted: 'package.a',
      packages: `
        a: package.a <- package.b
        b: package.b <- package.a
        c: package.b`,
      closure: 'c a',
    },
    {
      what: 'a package that provides what it needs does not serve itself',
      wanted: 'runtime.compiler-2',
      packages: `
        compiler-2: runtime.compiler runtime.compiler-2 <- runtime.compiler
        compiler-1: runtime.compiler`,
      closure: 'compiler-1 compiler-2',
    },

    { what: 'policy: nothing is said', wanted: 'runtime.ruby', packages: RUBIES, closure: 'debian ruby-2.0' },
    {
      what: 'policy: a default goes before the first imported',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency equals runtime.ruby) { package.default "package::/::ruby-2.1" } }',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a default is soft, so what is chosen already goes before it',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { package.default "package::/::ruby-2.1" }',
      closure: 'debian ruby-2.0',
    },
    {
      what: 'policy: the default of the nearest realm',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: `
        job::/prod/web { package.default "package::/::ruby-2.1" }
        job::/ { package.default "package::/prod/pkg::ruby-2.2" }`,
      job: '/prod/web/shop',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a lock goes before a default',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: `
        job::/prod { package.default "package::/::ruby-2.0" }
        job::/ { if (dependency == runtime.ruby) { package.lock "package::/::ruby-2.1" } }`,
      job: '/prod',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a lock goes before what is chosen already',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency equals runtime.ruby) { package.lock "package::/::ruby-2.1" } }',
      closure: 'debian ruby-2.0 ruby-2.1',
    },
    {
      what: 'policy: a lock on versions too',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency fqnMatch runtime.ruby) { package.lock "package::/prod/pkg" } }',
      closure: 'debian ruby-2.2',
    },
    {
      what: 'policy: what is retired is never picked, not even as the default',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { { package.retire "package::/::ruby-2.0" } { package.default "package::/::ruby-2.0" } }',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: allowed by the parent namespace',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/prod { { package.allow "package::/prod" } { package.allow "package::/::debian" } }',
      job: '/prod/web',
      closure: 'debian ruby-2.2',
    },
    {
      what: 'policy: the realm of another namespace is nothing to us',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/prod { package.allow "package::/prod" }',
      job: '/production',
      closure: 'debian ruby-2.0',
    },
    {
      what: 'policy: a realm of one job',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: `
        job::/prod::my-app { package.default "package::/::ruby-2.1" }
        job::/prod { package.default "package::/prod/pkg::ruby-2.2" }`,
      job: '/prod',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a default of an operating system holds where the rest can stand on it',
      wanted: 'os.linux runtime.node',
      packages: `
        debian: os.linux os.debian
        busybox: os.linux os.busybox
        node: runtime.node <- os.debian`,
      policy: 'job::/ { if (dependency equals os.linux) { package.default "package::/::busybox" } }',
      closure: 'debian node',
    },
  ]
  it.each(cases)('$what', ({ closure, ...question }) => {
    expect(outcome(question)).toBe(closure)
    expect(outcome(question), 'again').toBe(closure)
  })

  it('never uses the package that is being staged', () => {
    const packages = packagesOf(`
      app: package.app
      other: package.app`)
    const index = new PackageIndex(packages)
    const question = { subject: 'app', dependencies: capabilities('package.app'), index, exclude: 'uuid-app' }
    expect(resolve(question).packages.map(({ name }) => name)).toEqual(['other'])
  })

  it('goes as deep as it has to', () => {
    const depth = 5_000
    const chain = Array.from({ length: depth }, (_each, n) => `p${n}: package.p${n} <- package.p${n + 1}`)
    const packages = `busybox: os.busybox
      debian: os.linux os.debian
      ${chain.join('\n')}
      p${depth}: package.p${depth} <- os.linux os.debian`
    expect(answer({ what: '', wanted: 'package.p0', packages }).packages).toHaveLength(depth + 2)
    expect(
      outcome({ what: '', wanted: 'package.p0', packages: packages.replace('os.linux os.debian\n', 'os.linux\n') }),
    ).toMatch(/^unresolved: .*\n {2}os.debian, which package::\/::p5000 needs:\n {4}nothing provides os.debian/s)
  })

  it('is not exponential in what it has to give up', () => {
    const layers = Array.from({ length: 200 }, (_each, n) =>
      ['a', 'b', 'c'].map((side) => `${side}${n}: package.l${n} <- package.l${n + 1}`).join('\n'),
    )
    const packages = `${layers.join('\n')}
      top: package.top <- package.l0`
    const began = performance.now()
    expect(outcome({ what: '', wanted: 'package.top', packages })).toContain('package.l200')
    expect(performance.now() - began).toBeLessThan(2_000)
  })
})

describe('an explained resolution', () => {
  const explained = (question: Omit<Case, 'what'>) => describeDecisions(answer({ what: '', ...question }).explain())

  it('tells for every dependency every candidate, and why', () => {
    const told = explained({
      wanted: 'os.linux runtime.ruby',
      packages: `
        busybox: os.linux
        debian: os.linux os.debian
        ubuntu: os.linux
        ruby-3: runtime.ruby <- package.gone
        ruby-2: runtime.ruby <- os.debian
        ruby-1: runtime.ruby <- os.debian`,
      policy: 'job::/ { package.retire "package::/::ruby-1" }',
    })
    expect(told).toEqual(
      linesOf(`
        os.linux, which my-app needs:
          package::/::busybox refused, because the rest needs the operating system package::/::debian, and there can be only one
          package::/::debian taken, because the others are refused
          package::/::ubuntu passed over, because it was imported after package::/::debian
        runtime.ruby, which my-app needs:
          package::/::ruby-3 refused, because its own dependencies cannot be resolved
          package::/::ruby-2 taken, because the others are refused
          package::/::ruby-1 refused, because it is retired by policydoc::/::rules, line 1
        os.debian, which package::/::ruby-2 needs:
          package::/::debian taken, because it is chosen already`).map(indentCandidates),
    )
  })

  it('names the rule that decided', () => {
    const policy = `
      job::/ {
        { package.default "package::/::ruby-2.1" }
        if (dependency equals os.linux) { package.lock "package::/::debian" }
      }`
    expect(explained({ wanted: 'runtime.ruby', packages: RUBIES, policy })).toEqual(
      linesOf(`
        runtime.ruby, which my-app needs:
          package::/::ruby-2.1 taken, because it is the default by policydoc::/::rules, line 3
          package::/::ruby-2.0 passed over, because package::/::ruby-2.1 is the default
          package::/prod/pkg::ruby-2.2 passed over, because package::/::ruby-2.1 is the default
        os.linux, which package::/::ruby-2.1 needs:
          package::/::debian taken, because it is locked by policydoc::/::rules, line 4`).map(indentCandidates),
    )
  })
})

describe('a failed resolution tells the shortest reason:', () => {
  const cases: (Case & { told: string })[] = [
    {
      what: 'what nothing provides, and who needs it',
      wanted: 'package.fine runtime.ruby',
      packages: `
        fine: package.fine
        ruby: runtime.ruby <- package.fine package.gone`,
      told: `
        unresolved: package.fine, runtime.ruby, which my-app needs, cannot be resolved:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it needs package.gone
        package.gone, which package::/::ruby needs:
          nothing provides package.gone: import a package that does`,
    },
    {
      what: 'of several the one with the fewest words',
      wanted: 'package.long package.gone',
      packages: `
        long: package.long <- package.longer
        longer: package.longer <- package.lost`,
      told: `
        unresolved: package.long, package.gone, which my-app needs, cannot be resolved:
        package.gone, which my-app needs:
          nothing provides package.gone: import a package that does`,
    },
    {
      what: 'every candidate, where one would have been enough',
      wanted: 'runtime.node',
      packages: `
        node-20: runtime.node <- package.gone
        node-22: runtime.node <- package.gone`,
      told: `
        unresolved: runtime.node, which my-app needs, cannot be resolved:
        runtime.node, which my-app needs:
          package::/::node-20 refused, because it needs package.gone
          package::/::node-22 refused, because it needs package.gone
        package.gone, which package::/::node-20 needs:
          nothing provides package.gone: import a package that does`,
    },
    {
      what: 'a circle',
      wanted: 'package.a',
      packages: `
        a: package.a <- package.b
        b: package.b <- package.a`,
      told: `
        unresolved: package.a, which my-app needs, cannot be resolved:
        package.a, which my-app needs:
          package::/::a refused, because it depends on itself: package::/::a -> package::/::b -> package::/::a`,
    },
    {
      what: 'two operating systems',
      wanted: 'package.fine os.busybox os.debian',
      packages: `
        fine: package.fine
        busybox: os.busybox
        debian: os.debian`,
      told: `
        unresolved: package.fine, os.busybox, os.debian, which my-app needs, cannot be resolved:
        os.busybox, which my-app needs:
          package::/::busybox refused, because it is an operating system that os.debian cannot stand on, and there can be only one
        os.debian, which my-app needs:
          package::/::debian refused, because it is an operating system that os.busybox cannot stand on, and there can be only one`,
    },
    {
      what: 'two operating systems, below',
      wanted: 'package.app',
      packages: `
        busybox: os.busybox
        debian: os.debian
        app: package.app <- package.small os.debian
        small: package.small <- os.busybox`,
      told: `
        unresolved: package.app, which my-app needs, cannot be resolved:
        package.app, which my-app needs:
          package::/::app refused, because it needs package.small and os.debian, which cannot stand on one operating system
        package.small, which package::/::app needs:
          package::/::small refused, because it stands only on package::/::busybox, and os.debian does not
        os.debian, which package::/::app needs:
          package::/::debian refused, because it is an operating system that package.small cannot stand on, and there can be only one`,
    },
    {
      what: 'policy that allows nothing',
      wanted: 'runtime.ruby',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/prod { package.allow "package::/prod/pkg" }',
      job: '/prod/web',
      told: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it is not among what policydoc::/::rules, line 1 allows`,
    },
    {
      what: 'policy that allows only for something else',
      wanted: 'runtime.ruby',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/ { if (dependency equals os.linux) { package.allow "package::/" } }',
      told: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it is not among what policydoc::/::rules, line 1 allows`,
    },
    {
      what: 'a lock on what is retired',
      wanted: 'runtime.ruby',
      packages: `
        old: runtime.ruby
        new: runtime.ruby`,
      policy: 'job::/ { { package.lock "package::/::old" } { package.retire "package::/::old" } }',
      told: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::old refused, because it is retired by policydoc::/::rules, line 1
          package::/::new refused, because it is not package::/::old, to which policydoc::/::rules, line 1 locks runtime.ruby`,
    },
    {
      what: 'a gap, whatever policy says besides',
      wanted: 'runtime.ruby package.gone',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/ { package.retire "package::/::ruby" }',
      told: `
        unresolved: runtime.ruby, package.gone, which my-app needs, cannot be resolved:
        package.gone, which my-app needs:
          nothing provides package.gone: import a package that does`,
    },
  ]
  it('not all of a thousand candidates', () => {
    const rubies = Array.from({ length: 1_000 }, (_each, n) => `ruby-${n}: runtime.ruby`).join('\n')
    const policy = 'job::/ { package.retire "package::/" }'
    const lines = outcome({ what: '', wanted: 'runtime.ruby', packages: rubies, policy }).split('\n')
    expect(lines).toHaveLength(23)
    expect(lines.at(-1)?.trim()).toBe('and 980 more')
  })

  it.each(cases)('$what', ({ told, ...question }) => {
    expect(
      outcome(question)
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(linesOf(told))
  })
})

function indentCandidates(line: string): string {
  return line.endsWith(':') ? line : `  ${line}`
}
