import { describe, expect, it } from 'vitest'
import { describeDecisions } from '../../../daemon/packages/resolution/decision.js'
import { linesOf } from './support/packages-as-text.js'
import { answer, outcome, RUBIES, type Case } from './support/resolution-case.js'

describe('an explained resolution', () => {
  const explained = (question: Omit<Case, 'what'>) => describeDecisions(answer({ what: '', ...question }).explain())

  it('lists every candidate of every dependency with a reason', () => {
    const lines = explained({
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
    expect(lines).toEqual(
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
          package::/::debian taken, because it is already chosen`).map(indentCandidates),
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

describe('a failed resolution reports the shortest reason:', () => {
  const cases: (Case & { message: string })[] = [
    {
      what: 'a dependency that nothing provides, and who needs it',
      wanted: 'package.fine runtime.ruby',
      packages: `
        fine: package.fine
        ruby: runtime.ruby <- package.fine package.gone`,
      message: `
        unresolved: package.fine, runtime.ruby, which my-app needs, cannot be resolved:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it needs package.gone
        package.gone, which package::/::ruby needs:
          nothing provides package.gone: import a package that does, or make what comes with stagerd with \`stagectl bootstrap\``,
    },
    {
      what: 'a version that nothing provides, with those that are there, the same part of the version of each',
      wanted: 'runtime.ruby-2.1',
      packages: `
        ruby-3.10: runtime.ruby runtime.ruby-3 runtime.ruby-3.10 runtime.ruby-3.10.2
        ruby-3.9: runtime.ruby runtime.ruby-3 runtime.ruby-3.9
        jruby: runtime.ruby-java runtime.rubyx-9.4`,
      message: `
        unresolved: runtime.ruby-2.1, which my-app needs, cannot be resolved:
        runtime.ruby-2.1, which my-app needs:
          nothing provides runtime.ruby-2.1, but there are runtime.ruby-3.9, runtime.ruby-3.10: depend on one of them, or import a package that does`,
    },
    {
      what: 'a version that nothing provides, with the only one that is there',
      wanted: 'runtime.node-20.1',
      packages: 'node: runtime.node runtime.node-18',
      message: `
        unresolved: runtime.node-20.1, which my-app needs, cannot be resolved:
        runtime.node-20.1, which my-app needs:
          nothing provides runtime.node-20.1, but there is runtime.node-18: depend on that, or import a package that does`,
    },
    {
      what: 'a version that nothing provides, without those that policy refuses',
      wanted: 'runtime.node-16',
      packages: `
        node-18: runtime.node runtime.node-18
        node-20: runtime.node runtime.node-20`,
      policy: 'job::/ { package.retire "package::/::node-18" }',
      message: `
        unresolved: runtime.node-16, which my-app needs, cannot be resolved:
        runtime.node-16, which my-app needs:
          nothing provides runtime.node-16, but there is runtime.node-20: depend on that, or import a package that does`,
    },
    {
      what: 'a runtime that is there in no version, with all runtimes',
      wanted: 'runtime.nodejs-20',
      packages: `
        node: runtime.node runtime.node-18
        ruby: runtime.ruby runtime.ruby-3.1`,
      message: `
        unresolved: runtime.nodejs-20, which my-app needs, cannot be resolved:
        runtime.nodejs-20, which my-app needs:
          nothing provides runtime.nodejs-20, but there are runtime.node, runtime.ruby: depend on one of them, or import a package that does`,
    },
    {
      what: 'the shortest of several reasons',
      wanted: 'package.long package.gone',
      packages: `
        long: package.long <- package.longer
        longer: package.longer <- package.lost`,
      message: `
        unresolved: package.long, package.gone, which my-app needs, cannot be resolved:
        package.gone, which my-app needs:
          nothing provides package.gone: import a package that does, or make what comes with stagerd with \`stagectl bootstrap\``,
    },
    {
      what: 'every candidate of the dependency',
      wanted: 'runtime.node',
      packages: `
        node-20: runtime.node <- package.gone
        node-22: runtime.node <- package.gone`,
      message: `
        unresolved: runtime.node, which my-app needs, cannot be resolved:
        runtime.node, which my-app needs:
          package::/::node-20 refused, because it needs package.gone
          package::/::node-22 refused, because it needs package.gone
        package.gone, which package::/::node-20 needs:
          nothing provides package.gone: import a package that does, or make what comes with stagerd with \`stagectl bootstrap\``,
    },
    {
      what: 'a cycle',
      wanted: 'package.a',
      packages: `
        a: package.a <- package.b
        b: package.b <- package.a`,
      message: `
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
      message: `
        unresolved: package.fine, os.busybox, os.debian, which my-app needs, cannot be resolved:
        os.busybox, which my-app needs:
          package::/::busybox refused, because it is an operating system on which os.debian cannot run, and there can be only one
        os.debian, which my-app needs:
          package::/::debian refused, because it is an operating system on which os.busybox cannot run, and there can be only one`,
    },
    {
      what: 'two operating systems further down',
      wanted: 'package.app',
      packages: `
        busybox: os.busybox
        debian: os.debian
        app: package.app <- package.small os.debian
        small: package.small <- os.busybox`,
      message: `
        unresolved: package.app, which my-app needs, cannot be resolved:
        package.app, which my-app needs:
          package::/::app refused, because it needs package.small and os.debian, which cannot run on the same operating system
        package.small, which package::/::app needs:
          package::/::small refused, because it runs only on package::/::busybox, and os.debian does not
        os.debian, which package::/::app needs:
          package::/::debian refused, because it is an operating system on which package.small cannot run, and there can be only one`,
    },
    {
      what: 'policy that allows nothing',
      wanted: 'runtime.ruby',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/prod { package.allow "package::/prod/pkg" }',
      namespace: '/prod/web',
      message: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it is not allowed by policydoc::/::rules, line 1`,
    },
    {
      what: 'policy that allows only for something else',
      wanted: 'runtime.ruby',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/ { if (dependency equals os.linux) { package.allow "package::/" } }',
      message: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::ruby refused, because it is not allowed by policydoc::/::rules, line 1`,
    },
    {
      what: 'a lock on what is retired',
      wanted: 'runtime.ruby',
      packages: `
        old: runtime.ruby
        new: runtime.ruby`,
      policy: 'job::/ { { package.lock "package::/::old" } { package.retire "package::/::old" } }',
      message: `
        policy: Policy leaves no way to resolve runtime.ruby for my-app:
        runtime.ruby, which my-app needs:
          package::/::old refused, because it is retired by policydoc::/::rules, line 1
          package::/::new refused, because it is not package::/::old, to which policydoc::/::rules, line 1 locks runtime.ruby`,
    },
    {
      what: 'a missing package, regardless of policy',
      wanted: 'runtime.ruby package.gone',
      packages: 'ruby: runtime.ruby',
      policy: 'job::/ { package.retire "package::/::ruby" }',
      message: `
        unresolved: runtime.ruby, package.gone, which my-app needs, cannot be resolved:
        package.gone, which my-app needs:
          nothing provides package.gone: import a package that does, or make what comes with stagerd with \`stagectl bootstrap\``,
    },
  ]
  it('at most twenty candidates', () => {
    const rubies = Array.from({ length: 1_000 }, (_each, n) => `ruby-${n}: runtime.ruby`).join('\n')
    const policy = 'job::/ { package.retire "package::/" }'
    const lines = outcome({ what: '', wanted: 'runtime.ruby', packages: rubies, policy }).split('\n')
    expect(lines).toHaveLength(23)
    expect(lines.at(-1)?.trim()).toBe('and 980 more')
  })

  it.each(cases)('$what', ({ message, ...question }) => {
    expect(
      outcome(question)
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(linesOf(message))
  })
})

function indentCandidates(line: string): string {
  return line.endsWith(':') ? line : `  ${line}`
}
