import { describe, expect, it } from 'vitest'
import { PackageIndex } from '../../../daemon/packages/resolution/package-index.js'
import { resolve } from '../../../daemon/packages/resolve.js'
import { capabilities, packagesOf } from './support/packages-as-text.js'
import { answer, outcome, RUBIES, type Case } from './support/resolution-case.js'
import { cpuMsOf } from '../../support/cpu-time.js'

describe('a resolution', () => {
  const cases: (Case & { closure: string })[] = [
    { what: 'no dependencies', wanted: '', packages: 'debian: os.linux', closure: '' },
    {
      what: 'a chain: the operating system first',
      wanted: 'runtime.ruby',
      packages: `
        ruby: runtime.ruby <- os.ubuntu
        ubuntu: os.linux os.ubuntu`,
      closure: 'ubuntu ruby',
    },
    {
      what: 'a diamond: the shared dependency is included once',
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
      what: 'two dependencies on an operating system are satisfied by one',
      wanted: 'os.linux os.debian-12',
      packages: `
        busybox: os.linux
        debian: os.linux os.debian-12`,
      closure: 'debian',
    },
    {
      what: 'a later choice adapts to an earlier one',
      wanted: 'os.linux runtime.node',
      packages: `
        busybox: os.linux os.busybox
        debian: os.linux os.debian
        node-20: runtime.node <- os.debian
        node-musl: runtime.node <- os.busybox`,
      closure: 'busybox node-musl',
    },
    {
      what: 'a conflict deep below a candidate rules the candidate out',
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
      what: 'a candidate with unsatisfiable dependencies is skipped',
      wanted: 'runtime.node',
      packages: `
        debian: os.debian
        node-22: runtime.node <- os.plan9
        node-20: runtime.node <- os.debian`,
      closure: 'debian node-20',
    },
    {
      what: 'a package that is already chosen is reused, although another was imported first',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: `
        ruby-1.9: runtime.ruby
        ruby-2.0: runtime.ruby runtime.ruby-2.0`,
      closure: 'ruby-2.0',
    },
    {
      what: 'a cycle is avoided if possible',
      wanted: 'package.a',
      packages: `
        a: package.a <- package.b
        b: package.b <- package.a
        c: package.b`,
      closure: 'c a',
    },
    {
      what: 'a package does not satisfy its own dependency',
      wanted: 'runtime.compiler-2',
      packages: `
        compiler-2: runtime.compiler runtime.compiler-2 <- runtime.compiler
        compiler-1: runtime.compiler`,
      closure: 'compiler-1 compiler-2',
    },

    { what: 'policy: no rules', wanted: 'runtime.ruby', packages: RUBIES, closure: 'debian ruby-2.0' },
    {
      what: 'policy: a default is preferred over the first imported',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency equals runtime.ruby) { package.default "package::/::ruby-2.1" } }',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a package that is already chosen is preferred over a default',
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
      namespace: '/prod/web/shop',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a lock overrides a default',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: `
        job::/prod { package.default "package::/::ruby-2.0" }
        job::/ { if (dependency == runtime.ruby) { package.lock "package::/::ruby-2.1" } }`,
      namespace: '/prod',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a lock overrides a package that is already chosen',
      wanted: 'runtime.ruby-2.0 runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency equals runtime.ruby) { package.lock "package::/::ruby-2.1" } }',
      closure: 'debian ruby-2.0 ruby-2.1',
    },
    {
      what: 'policy: fqnMatch extends a lock to versions',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/ { if (dependency fqnMatch runtime.ruby) { package.lock "package::/prod/pkg" } }',
      closure: 'debian ruby-2.2',
    },
    {
      what: 'policy: a retired package is never chosen, not even as the default',
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
      namespace: '/prod/web',
      closure: 'debian ruby-2.2',
    },
    {
      what: 'policy: the realm of another namespace does not apply',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: 'job::/prod { package.allow "package::/prod" }',
      namespace: '/production',
      closure: 'debian ruby-2.0',
    },
    {
      what: 'policy: a realm of a single subject',
      wanted: 'runtime.ruby',
      packages: RUBIES,
      policy: `
        job::/prod::my-app { package.default "package::/::ruby-2.1" }
        job::/prod { package.default "package::/prod/pkg::ruby-2.2" }`,
      namespace: '/prod',
      closure: 'debian ruby-2.1',
    },
    {
      what: 'policy: a default operating system applies only if the rest can run on it',
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

  it('reports a cycle through the package that is being staged, which is not in the index', () => {
    const index = new PackageIndex(packagesOf('plugin: package.plugin <- package.app'))
    const staged = { name: 'package::/::app', provides: capabilities('package.app') }
    const question = { subject: staged.name, dependencies: capabilities('package.plugin'), index, staged }
    expect(() => resolve(question)).toThrow(/package::\/::app refused, because it is the package itself/)
  })

  it('handles deep chains', () => {
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

  it('is not exponential in the number of rejected candidates', async () => {
    const layers = Array.from({ length: 200 }, (_each, n) =>
      ['a', 'b', 'c'].map((side) => `${side}${n}: package.l${n} <- package.l${n + 1}`).join('\n'),
    )
    const packages = `${layers.join('\n')}
      top: package.top <- package.l0`
    const spent = await cpuMsOf(() => {
      expect(outcome({ what: '', wanted: 'package.top', packages })).toContain('package.l200')
    })
    expect(spent).toBeLessThan(5_000)
  })
})
