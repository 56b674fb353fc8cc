import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { BuildScript } from '../../../../daemon/packages/build-script/build-script.js'
import { parseBuildScript } from '../../../../daemon/packages/build-script/parse-build-script.js'
import { parseDocument } from '../../../../daemon/packages/build-script/parse-document.js'
import { printBuildScript } from '../../../../daemon/packages/build-script/print-build-script.js'
import { CAPABILITY_TYPES } from '../../../../daemon/packages/metadata.js'
import { DocumentSyntaxError } from '../../../../daemon/packages/syntax/syntax-error.js'

const DIGEST = 'ab'.repeat(32)

const EVERYTHING = `
# Uses the whole language. "Not a string", { not a block
name:      "redis-2.8.24"
"namespace" '/apcera/pkg/packages'    # a quoted key without a colon
version: 2.8.24, description "An in-memory \\"database\\" # not a comment"

sources [
  { url: "https://example.org/redis-2.8.24.tar.gz",
    sha256: "${DIGEST}", },            # trailing commas are fine
  { url: https://example.org/a%2Bb.patch, sha1: ${'12'.repeat(20)} }
]
build_depends [ { package: "build-essential" }, { package: tcl } ]
depends
[
  { os: "ubuntu" }
]
provides      [ { package: "redis" }, { package: "redis-2.8" }
                "runtime.redis", ]
environment   { "PATH": "/opt/redis/bin:$PATH", REDIS_HOME /opt/redis }
cleanup       [ "/usr/lib/python2.7" ]

build (
  tar -zxf redis-2.8.24.tar.gz   # the parser ignores this: " ' { [
  cd redis-2.8.24 && (make; make test)
  for module in $(ls modules); do echo "$module)"; done
cat >/tmp/redis.conf <<'CONF'
port 6379
  )
# ) is not in column 0 here
CONF
  case $1 in
    a) echo a ;;
  esac
)
snapshot_path "/rootfs"
include_files [ "start-redis.sh", conf/redis.conf, ],
`

describe('a build script', () => {
  it('can use the whole language', () => {
    const { build, ...script } = parseBuildScript(EVERYTHING)
    expect(script).toEqual({
      name: 'redis-2.8.24',
      namespace: '/apcera/pkg/packages',
      version: '2.8.24',
      description: 'An in-memory "database" # not a comment',
      sources: [
        { url: 'https://example.org/redis-2.8.24.tar.gz', sha256: DIGEST, sha1: undefined },
        { url: 'https://example.org/a%2Bb.patch', sha256: undefined, sha1: '12'.repeat(20) },
      ],
      buildDepends: [
        { type: 'package', name: 'build-essential' },
        { type: 'package', name: 'tcl' },
      ],
      depends: [{ type: 'os', name: 'ubuntu' }],
      provides: [
        { type: 'package', name: 'redis' },
        { type: 'package', name: 'redis-2.8' },
        { type: 'runtime', name: 'redis' },
      ],
      environment: { PATH: '/opt/redis/bin:$PATH', REDIS_HOME: '/opt/redis' },
      cleanup: ['/usr/lib/python2.7'],
      snapshotPath: '/rootfs',
      includeFiles: ['start-redis.sh', 'conf/redis.conf'],
    })
    expect(build.split('\n')).toEqual(
      EVERYTHING.slice(EVERYTHING.indexOf('  tar -zxf'), EVERYTHING.indexOf('\n)\nsnapshot_path')).split('\n'),
    )
  })

  it('can have CRLF line ends and a byte order mark', () => {
    expect(parseBuildScript(`\uFEFF${EVERYTHING.replaceAll('\n', '\r\n')}`)).toEqual(parseBuildScript(EVERYTHING))
  })

  it.each([
    ['build (\n  make\n)', '  make'],
    ['build: (\n\n  make\n)', '\n  make'],
    ['build ( make all\n  make install\n)', ' make all\n  make install'],
    ['build\n(\n)', ''],
    ['build (\n  (make)\n)\n# the end', '  (make)'],
  ])('%j has the body %j', (text, body) => {
    expect(parseBuildScript(`name: a\n${text}`).build).toBe(body)
  })

  it('parses to the same value after printing', () => {
    fc.assert(
      fc.property(anyScript(), (script) => {
        expect(parseBuildScript(printBuildScript(script))).toEqual(script)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a syntax error has a position and what was expected', () => {
  const whole = 'build (\n)\n'
  it.each<[error: string, text: string, line: number, column: number, expected: RegExp, found: RegExp]>([
    ['lists within lists', `name ${'['.repeat(100)}`, 1, 70, /at most 64 blocks within each other/, /one more/],
    [
      'a block that is not closed',
      `name: a\n${whole}environment {\n  A: b\n`,
      6,
      1,
      /the } that closes the block/,
      /the end/,
    ],
    ['a list that is not closed', `name: a\ncleanup [ "/a",\n${whole}`, 3, 7, /comma|the \]/, /"\("|\(/],
    [
      'a string that is not closed',
      `name: "a\n${whole}`,
      1,
      7,
      /a closing quote on the same line/,
      /without a closing quote/,
    ],
    [
      'a body that is not closed',
      'name: a\nbuild (\n  make\n  )\n',
      2,
      7,
      /a \) in column 0/,
      /without a closing \) in column 0/,
    ],
    ['a body that is closed too early', `name: a\nbuild (\n  a <<E\n) x\nE\n)\n`, 4, 3, /a comma or a new line/, /"x"/],
    ['a value that is missing', `name:\nnamespace: /a\n${whole}`, 1, 6, /a value/, /the end of the line/],
    ['a key that is missing', `name: a\n: b\n${whole}`, 2, 1, /a key/, /":"/],
    ['entries without a separator', `name: a version: 1\n${whole}`, 1, 9, /a comma or a new line/, /"version"/],
    [
      'items without a separator',
      `name: a\ncleanup [ "/a" "/b" ]\n${whole}`,
      2,
      16,
      /a comma, a new line or the \]/,
      /"\/b/,
    ],
    [
      'a bracket of the wrong kind',
      `name: a\nprovides [ { os: b ] ]\n${whole}`,
      2,
      20,
      /a comma, a new line or the }/,
      /"\]"/,
    ],
    ['an extra bracket', `name: a\n}\n${whole}`, 2, 1, /a key/, /"}"/],
    ['an unknown escape sequence', `name: "a\\q"\n${whole}`, 1, 9, /one of the escapes \\"/, /q/],
    ['an unknown key', `name: a\nsource [ ]\n${whole}`, 2, 1, /one of the keys.*sources.*build/, /"source"/],
    ['a duplicate key', `name: a\nname: b\n${whole}`, 2, 1, /name only once.*line 1/, /"name"/],
    ['no name', whole, 1, 1, /the key name/, /without one/],
    ['neither build nor image', 'name: a\n', 1, 1, /the key build, or the key image/, /without either/],
    ['an image and a build', `name: a\nimage: "debian:12"\n${whole}`, 3, 7, /either image or build/, /both/],
    ['an image and sources', 'name: a\nimage: b, sources [ ]\n', 2, 19, /either image or sources/, /both/],
    ['an invalid image reference', 'name: a\nimage: "../b"\n', 2, 8, /a valid value/, /is not a valid image reference/],
    ['a build that is a string', 'name: a\nbuild: "make"\n', 2, 8, /a body in \( \)/, /"make"/],
    ['a string in place of a list', `name: a\ncleanup: "/a"\n${whole}`, 2, 10, /a list in \[ \]/, /"\/a"/],
    ['an unknown type', `name: a\ndepends [ { lib: b } ]\n${whole}`, 2, 13, /a type \(os, runtime/, /"lib"/],
    [
      'a digest that is too short',
      `name: a\nsources [ { url: "https://a/b", sha256: abc } ]\n${whole}`,
      2,
      41,
      /64 hex/,
      /"abc"/,
    ],
    ['an invalid URL', `name: a\nsources [ { url: "b.tgz" } ]\n${whole}`, 2, 18, /begins with https/, /b\.tgz/],
    ['an invalid name', `name: "a b"\n${whole}`, 1, 7, /a valid value/, /is not a name/],
    ['a cleanup of the root', `name: a\ncleanup [ "/" ]\n${whole}`, 2, 11, /a valid value/, /the root itself/],
    [
      'an include file outside the directory of the script',
      `name: a\ninclude_files [ "../b" ]\n${whole}`,
      2,
      17,
      /a valid value/,
      /relative to the directory of the script/,
    ],
  ])('%s', (_error, text, line, column, expected, found) => {
    const error = errorOf(() => parseBuildScript(text))
    expect(error).toMatchObject({ code: 'bad-syntax', line, column })
    expect(error.expected).toMatch(expected)
    expect(error.found).toMatch(found)
    expect(error.message).toBe(`Line ${line}, column ${column}: expected ${error.expected}, found ${error.found}.`)
  })
})

it('an application manifest uses the same language', () => {
  const manifest = `
name: my-app
staging_pipeline: "stagpipe::/apcera::ruby", package_dependencies [ "runtime.ruby-2.0.0" ]
templates [ { path: config.yml } ]
resources { memory: "256MB" }
stager_options [ { stager_name: "rails", services [ ] } ]
`
  const entries = parseDocument(manifest)
  expect(entries.map(({ key, value, at }) => [key, value.kind, at.line])).toEqual([
    ['name', 'string', 2],
    ['staging_pipeline', 'string', 3],
    ['package_dependencies', 'list', 3],
    ['templates', 'list', 4],
    ['resources', 'block', 5],
    ['stager_options', 'list', 6],
  ])
})

function errorOf(work: () => unknown): DocumentSyntaxError {
  try {
    work()
  } catch (error) {
    if (error instanceof DocumentSyntaxError) return error
    throw error
  }
  throw new Error('no error was thrown')
}

function anyScript(): fc.Arbitrary<BuildScript> {
  const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+@-]{0,30}$/)
  const text = fc.string({ unit: 'grapheme', maxLength: 30 })
  const optional = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined })
  const list = <T>(arbitrary: fc.Arbitrary<T>) => fc.array(arbitrary, { maxLength: 4 })
  const capability = fc.record({
    type: fc.constantFrom(...CAPABILITY_TYPES),
    name: fc.stringMatching(/^[!-~]{1,20}$/),
  })
  const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9a-f]{${length}}$`))
  const common = {
    name,
    namespace: optional(name.map((word) => `/${word.replace(/[+@]/g, '-')}`)),
    version: optional(text),
    description: optional(text),
    provides: list(capability),
    depends: list(capability),
    environment: fc.dictionary(
      fc.stringMatching(/^[A-Za-z][A-Za-z0-9_]{0,10}$/),
      text.filter((value) => !value.includes('\0')),
      { noNullPrototype: true, maxKeys: 4 },
    ),
    cleanup: list(name.map((word) => `/usr/${word}`)),
  }
  const image = fc.record({
    ...common,
    buildDepends: fc.constant([]),
    sources: fc.constant([]),
    includeFiles: fc.constant([]),
    snapshotPath: fc.constant(undefined),
    image: fc.constantFrom('debian', 'debian:12', `localhost:5000/a/b.c@sha256:${DIGEST}`),
    build: fc.constant(''),
  })
  const build = fc.record({
    ...common,
    buildDepends: list(capability),
    sources: list(
      fc.record({
        url: name.map((word) => `https://example.org/${word}`),
        sha256: optional(hex(64)),
        sha1: optional(hex(40)),
      }),
    ),
    includeFiles: list(name),
    snapshotPath: optional(name.map((word) => `/${word}`)),
    image: fc.constant(undefined),
    build: fc
      .array(fc.oneof(text, fc.constantFrom('make "$(cat x)"', '(cd a; b)', '# )', ' )', '', 'cat <<E')), {
        maxLength: 6,
      })
      .map((lines) => lines.join('\n').replace(/\r\n/g, '\n').replace(/^\)/gm, ' )')),
  })
  return fc.oneof(build, image)
}
