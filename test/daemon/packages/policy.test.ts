import { describe, expect, it } from 'vitest'
import { concurrencyLimits, fullRealms } from '../../../daemon/packages/policy/concurrency.js'
import { parsePolicy } from '../../../daemon/packages/policy/parse-policy.js'
import { DEFAULT_PACKAGE_SIZE, quotaOf, remainingQuota } from '../../../daemon/packages/policy/quota.js'
import { DocumentSyntaxError } from '../../../daemon/packages/syntax/syntax-error.js'

/** A document as lines of `realm [conditions]: claim`. */
function read(text: string): string[] {
  return parsePolicy(text).map(({ realm, conditions, claim, at }) => {
    const on = `${realm.kind}::${realm.namespace}${realm.name === undefined ? '' : `::${realm.name}`}`
    const when = conditions.map(
      ({ comparator, dependency }) => ` if ${comparator} ${dependency.type}.${dependency.name}`,
    )
    return `${at.line}:${at.column} ${on}${when.join('')}: ${describeClaim(claim)}`
  })
}

function describeClaim(claim: ReturnType<typeof parsePolicy>[number]['claim']): string {
  switch (claim.kind) {
    case 'permit':
      return `permit ${claim.verbs.join(' ')}`
    case 'role':
      return `role ${claim.role}`
    case 'quota':
      return `${claim.of} ${claim.bytes}`
    case 'concurrency':
      return `running.stagings ${claim.limit}`
    default:
      return `${claim.kind} ${claim.target.namespace} ${claim.target.name ?? '*'}`
  }
}

function fault(text: string): string {
  try {
    return `parsed: ${read(text).join('; ')}`
  } catch (error) {
    if (error instanceof DocumentSyntaxError) return error.message
    throw error
  }
}

describe('a policy document', () => {
  it('is parsed into statements', () => {
    const text = `
// comment
on job::/ {
  if (dependency equals runtime.ruby) { package.default "package::/apcera/pkg/runtimes::ruby-2.1.0" }
}
job::/prod {
  { package.allow "package::/prod/pkg" }
}`
    expect(read(text)).toEqual([
      '4:41 job::/ if equals runtime.ruby: default /apcera/pkg/runtimes ruby-2.1.0',
      '7:5 job::/prod: allow /prod/pkg *',
    ])
  })

  it.each([
    ['nothing at all', '', []],
    ['nothing but comments', '// one\n  # two', []],
    ['a realm without claims', 'job::/ { }', []],
    [
      'several realms on one line',
      'job::/a{package.lock package::/::x}job::/b{role admin}',
      ['1:9 job::/a: lock / x', '1:44 job::/b: role admin'],
    ],
    [
      'claims with or without braces',
      'job::/ { { role a } role b { { role c } } }',
      ['1:12 job::/: role a', '1:21 job::/: role b', '1:32 job::/: role c'],
    ],
    [
      'nested conditions, with or without braces',
      'job::/ { if (dependency == os.linux) if (dependency fqnMatch "os.linux") package.retire package::/::x }',
      ['1:74 job::/ if equals os.linux if fqnMatch os.linux: retire / x'],
    ],
    [
      'roles and permissions',
      'package::/x::y { { permit create, read, update, delete } }',
      ['1:20 package::/x::y: permit create read update delete'],
    ],
    [
      'quotas',
      'on quota::/ns { { total.package.size 500MB } package.size "1.5GB" }',
      [`1:19 quota::/ns: total.package.size ${500 * 2 ** 20}`, `1:46 quota::/ns: package.size ${1.5 * 2 ** 30}`],
    ],
    [
      'how many stagings may run at once',
      'on quota::/ { running.stagings 40 } quota::/ns { { running.stagings "0" } }',
      ['1:15 quota::/: running.stagings 40', '1:52 quota::/ns: running.stagings 0'],
    ],
    ['a namespace named like a keyword', 'job::/on { package.allow "package::/if" }', ['1:12 job::/on: allow /if *']],
    ['a byte order mark and CRLF line ends', '\uFEFFjob::/ {\r\n  role a\r\n}\r\n', ['2:3 job::/: role a']],
  ])('is parsed: %s', (_what, text, expected) => {
    expect(read(text)).toEqual(expected)
  })

  it.each([
    [
      'no realm',
      '{ package.allow "package::/" }',
      'Line 1, column 1: expected a realm such as job::/prod, or the end of the document, found "{".',
    ],
    [
      'a missing opening brace',
      'job::/\n  package.allow "package::/"',
      'Line 2, column 3: expected the { that opens the claims of the realm, found "package.allow".',
    ],
    [
      'a missing closing brace',
      'job::/ {\n  role admin\n',
      'Line 3, column 1: expected a claim such as package.allow, an if, or the } that closes the block, found the end of the document.',
    ],
    [
      'an extra brace',
      'job::/ {\n}\n}',
      'Line 3, column 1: expected a realm such as job::/prod, or the end of the document, found "}".',
    ],
    [
      'a missing closing quote',
      'job::/ {\n  package.allow "package::/\n}',
      'Line 2, column 17: expected a value: a word or a quoted string, found "\\"package::/" without a closing quote on the same line.',
    ],
    [
      'blocks within blocks',
      `job::/ {${'{'.repeat(100)}`,
      'Line 1, column 73: expected at most 64 blocks within each other, found one more.',
    ],
    [
      'a claim without a value',
      'job::/ { { package.allow } }',
      'Line 1, column 26: expected a value: a word or a quoted string, found "}".',
    ],
    [
      'an unknown claim',
      'job::/ { package.alow "package::/" }',
      'Line 1, column 10: expected one of the claims package.allow, package.default, package.lock, package.retire, package.size, total.package.size, running.stagings, permit, role, found "package.alow".',
    ],
    [
      'an unknown kind of realm',
      'jobs::/ { }',
      'Line 1, column 1: expected a realm such as job::/prod, with one of the kinds job, package, stagpipe, policydoc, quota, found "jobs::/".',
    ],
    [
      'an invalid namespace',
      'job::prod { }',
      'Line 1, column 1: expected a realm such as job::/prod, with one of the kinds job, package, stagpipe, policydoc, quota, found "job::prod".',
    ],
    [
      'a claim on the wrong realm',
      'package::/ { package.lock "package::/::x" }',
      'Line 1, column 14: expected a claim for a package realm; package.lock is for job realms, found "package.lock".',
    ],
    [
      'a target that is not a package',
      'job::/ { package.lock "job::/::x" }',
      'Line 1, column 23: expected a package such as "package::/prod/pkg::ruby-2.1", or a namespace such as "package::/prod/pkg", found "job::/::x".',
    ],
    [
      'a condition on something else',
      'job::/ { if (package equals os.linux) role x }',
      'Line 1, column 14: expected dependency, found "package".',
    ],
    [
      'an unknown comparator',
      'job::/ { if (dependency is os.linux) role x }',
      'Line 1, column 25: expected equals, == or fqnMatch, found "is".',
    ],
    [
      'a dependency of an unknown type',
      'job::/ { if (dependency == service.x) role x }',
      'Line 1, column 28: expected a dependency such as runtime.ruby, with one of the types os, runtime, file, package, found "service.x".',
    ],
    [
      'a condition without a closing parenthesis',
      'job::/ { if (dependency == os.linux { role x } }',
      'Line 1, column 37: expected the ) that closes the condition, found "{".',
    ],
    [
      'an invalid size',
      'quota::/ { package.size huge }',
      'Line 1, column 25: expected a size such as 500MB or 2GB, found "huge".',
    ],
    [
      'a number of stagings that is none',
      'quota::/ { running.stagings -1 }',
      'Line 1, column 29: expected a number of stagings from 0 to 999999, found "-1".',
    ],
    [
      'a number of stagings of one package',
      'quota::/ns::app { running.stagings 1 }',
      'Line 1, column 19: expected a claim for this realm; running.stagings is for quota realms of a namespace, such as quota::/prod, found "running.stagings".',
    ],
    [
      'a number of stagings of a policy subject',
      'job::/ns { running.stagings 1 }',
      'Line 1, column 12: expected a claim for this realm; running.stagings is for quota realms of a namespace, such as quota::/prod, found "running.stagings".',
    ],
    [
      'a number of stagings under a condition',
      'quota::/ { if (dependency equals os.linux) running.stagings 1 }',
      'Line 1, column 44: expected running.stagings outside of an if, found "running.stagings".',
    ],
    [
      'an unknown verb',
      'job::/ { permit create, fly }',
      'Line 1, column 25: expected one of create, read, update, delete, found "fly".',
    ],
    [
      'two values instead of one',
      'job::/ { package.allow "package::/a", "package::/b" }',
      'Line 1, column 39: expected one value for package.allow, found "package::/b".',
    ],
  ])('reports the position and what was expected: %s', (_what, text, expected) => {
    expect(fault(text)).toBe(expected)
  })
})

describe('a quota', () => {
  const of = (text: string, namespace: string) =>
    quotaOf([{ fqn: 'policydoc::/::quotas', policy: parsePolicy(text) }], namespace)

  it('is 2 GB for a package without a claim', () => {
    expect(of('', '/prod')).toEqual({ packageSize: DEFAULT_PACKAGE_SIZE, totals: [] })
  })

  it('for one package comes from the nearest realm, and all totals apply', () => {
    const text = `
      quota::/prod/web { package.size 3GB }
      quota::/ { { package.size 1GB } { total.package.size 10GB } }
      quota::/prod { total.package.size 5GB }`
    expect(of(text, '/prod/web/shop')).toEqual({
      packageSize: 3 * 2 ** 30,
      totals: [
        { namespace: '/', bytes: 10 * 2 ** 30 },
        { namespace: '/prod', bytes: 5 * 2 ** 30 },
      ],
    })
    expect(of(text, '/other').packageSize).toBe(2 ** 30)
  })
})

describe('limits of stagings that run at once', () => {
  const limits = concurrencyLimits([
    {
      fqn: 'policydoc::/::a',
      policy: parsePolicy('quota::/ { running.stagings 4 } quota::/acme { running.stagings 3 }'),
    },
    {
      fqn: 'policydoc::/::b',
      policy: parsePolicy('quota::/acme { running.stagings 2 } quota::/none { running.stagings 0 }'),
    },
  ])

  it('are the lowest of each realm', () => {
    expect([...limits]).toEqual([
      ['/', 4],
      ['/acme', 2],
      ['/none', 0],
    ])
  })

  it.each([
    ['nothing runs', [], ['/none']],
    ['fewer run than may', ['/acme', '/acme2', '/'], ['/none']],
    ['as many run as may, also below', ['/acme', '/acme/web/shop'], ['/acme', '/none']],
    ['more run than may', ['/acme', '/acme', '/acme', '/x/y'], ['/', '/acme', '/none']],
  ])('have been reached when %s', (_what, running, full) => {
    expect(fullRealms(limits, running)).toEqual(full)
  })
})

describe('the remaining quota for one more package', () => {
  const used: Readonly<Record<string, number>> = { '/': 900, '/acme': 300 }
  const remaining = (text: string) =>
    remainingQuota(
      quotaOf([{ fqn: 'policydoc::/::quotas', policy: parsePolicy(text) }], '/acme/pkg', 1000),
      (namespace) => used[namespace] ?? 0,
    )

  it.each([
    ['is the default without a claim', '', 1000],
    ['is what remains of the total of its realm', 'on quota::/acme { { total.package.size 500B } }', 200],
    [
      'is the smallest of several totals',
      'on quota::/acme { { total.package.size 500B } }\non quota::/ { { total.package.size 1000B } }',
      100,
    ],
    ['is 0 if the total is exceeded', 'on quota::/ { { total.package.size 800B } }', 0],
    ['is limited by the size of one package', 'on quota::/acme { { package.size 50B } }', 50],
  ])('%s', (_what, text, expected) => {
    expect(remaining(text)).toBe(expected)
  })
})
