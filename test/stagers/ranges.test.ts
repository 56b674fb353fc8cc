import { createRequire } from 'node:module'
import path from 'node:path'
import { execa } from 'execa'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { lawRun } from '../support/law-run.js'

/** The ranges of the library for stagers are compared with those of the tools themselves. */

const LIBRARY = path.resolve(import.meta.dirname, '../../stagers/lib/versions.sh')
const { parameters, timeout } = lawRun({ runs: 60, msPerRun: 200 })

interface Semver {
  satisfies(version: string, range: string): boolean
}
const semver = createRequire(import.meta.url)('semver') as Semver

/** For each range, the versions that are in it. */
type Judge = (ranges: readonly string[]) => Promise<readonly (readonly string[])[]>

const NUMBERS = [0, 1, 2, 10]
const VERSIONS = NUMBERS.flatMap((major) =>
  NUMBERS.flatMap((minor) => NUMBERS.map((patch) => [major, minor, patch].join('.'))),
)

const number = fc.constantFrom(...NUMBERS)
const exact = fc.tuple(number, number, number).map((numbers) => numbers.join('.'))
const partial = fc.array(number, { minLength: 1, maxLength: 3 }).map((numbers) => numbers.join('.'))
const twoOrThree = fc.array(number, { minLength: 2, maxLength: 3 }).map((numbers) => numbers.join('.'))
const any = (last: string) =>
  fc.array(number, { minLength: 1, maxLength: 2 }).map((numbers) => `${numbers.join('.')}.${last}`)
const operators = (...all: string[]) => fc.constantFrom(...all)
const joined = (one: fc.Arbitrary<string>, separator: string, maxLength = 3) =>
  fc.array(one, { minLength: 1, maxLength }).map((list) => list.join(separator))
const pair = (operator: fc.Arbitrary<string>, version: fc.Arbitrary<string>, between = '') =>
  fc.tuple(operator, version).map(([sign, bound]) => `${sign}${between}${bound}`)

const npm = joined(
  fc.oneof(
    joined(
      fc.oneof(
        pair(operators('', '^', '~', '>=', '<=', '>', '<', '=', '^v', '>= '), partial),
        pair(operators('', '^', '~', '>=', '<='), any('x')),
        fc.constantFrom('*', '>=1.0.0-rc.1', '<=2.0.0-0', '^1.2.0-beta.2', '>2.0.0-0', '<10.0.0-0'),
      ),
      ' ',
      2,
    ),
    fc.tuple(partial, partial).map(([from, to]) => `${from} - ${to}`),
  ),
  ' || ',
)
const python = joined(
  fc.oneof(
    pair(operators('>=', '<=', '>', '<', '!=', '>= '), partial),
    pair(operators('~='), twoOrThree),
    pair(operators('==', '!='), any('*')),
    pair(operators('==', '==='), exact),
  ),
  ',',
)
const gem = joined(
  fc.oneof(pair(operators('>=', '<=', '>', '<', '!=', '~>'), partial, ' '), pair(operators('', '= '), exact)),
  ', ',
)

const judgeByNpm: Judge = (ranges) =>
  Promise.resolve(ranges.map((range) => VERSIONS.filter((version) => semver.satisfies(version, range))))

const PYTHON = `import json, sys
try:
    from packaging.specifiers import SpecifierSet
except ImportError:
    from pip._vendor.packaging.specifiers import SpecifierSet
asked = json.load(sys.stdin)
print(json.dumps([[v for v in asked["versions"] if SpecifierSet(r).contains(v)] for r in asked["ranges"]]))`

const RUBY = `require "json"
asked = JSON.parse(STDIN.read)
puts JSON.dump(asked["ranges"].map { |range|
  wanted = Gem::Requirement.new(range.split(", "))
  asked["versions"].select { |version| wanted.satisfied_by?(Gem::Version.new(version)) } })`

const judgeBy =
  (...command: readonly [string, ...string[]]): Judge =>
  async (ranges) => {
    const [program, ...args] = command
    const { stdout } = await execa(program, args, { input: JSON.stringify({ ranges, versions: VERSIONS }) })
    return JSON.parse(stdout) as string[][]
  }

const judgeByLibrary =
  (name: string): Judge =>
  async (ranges) => {
    const script = `source "$1"
      while IFS= read -r range; do
        _read_range "$2" "$range"
        fitting=()
        for version in "\${@:3}"; do
          _bounds "$version"
          if _has "$_from" "$_to"; then fitting+=("$version"); fi
        done
        echo "\${fitting[*]}"
      done`
    const input = ranges.map((range) => `${range}\n`).join('')
    const { stdout } = await execa('bash', ['--norc', '-euc', script, 'bash', LIBRARY, name, ...VERSIONS], { input })
    return stdout.split('\n').map((line) => line.split(' ').filter((version) => version !== ''))
  }

describe('a range has the versions that it has for', () => {
  it.for([
    { tool: 'npm', name: 'node', ranges: npm, judge: judgeByNpm },
    { tool: 'Python', name: 'python', ranges: python, judge: judgeBy('python3', '-c', PYTHON) },
    { tool: 'RubyGems', name: 'ruby', ranges: gem, judge: judgeBy('ruby', '-e', RUBY) },
  ])('$tool', { timeout }, async ({ name, ranges, judge }, { skip }) => {
    // Whether the tool is there.
    await judge([]).catch(() => skip('it is not installed'))
    const all = fc.sample(ranges, parameters)
    const [expected, found] = await Promise.all([judge(all), judgeByLibrary(name)(all)])
    all.forEach((range, index) => expect(found[index], range).toEqual(expected[index]))
    // Guards against ranges that are all trivial.
    const partly = expected.filter(({ length }) => length > 0 && length < VERSIONS.length)
    expect(partly.length).toBeGreaterThan(all.length / 8)
  })
})
