import { describe, expect, test } from 'vitest'
import { expandAliases } from '../../cli/options/aliases.js'
import { collectCapabilities } from '../../cli/options/parse-capability.js'
import { parseDuration } from '../../cli/options/parse-duration.js'
import { collectEnvironment } from '../../cli/options/parse-environment.js'
import { integerParser, parseCpus } from '../../cli/options/parse-number.js'
import { collectPublished } from '../../cli/options/parse-publish.js'
import { parseSince } from '../../cli/options/parse-since.js'
import { parseSize } from '../../cli/options/parse-size.js'
import { UsageError } from '../../cli/options/usage-error.js'
import { nameOfSource } from '../../cli/source/name-of-source.js'

describe('option values', () => {
  test.each([
    ['256MB', 256 * 1024 * 1024],
    ['1.5 gb', 1.5 * 1024 ** 3],
    ['100b', 100],
    ['268435456', 256 * 1024 * 1024],
  ])('%s is a size', (text, size) => expect(parseSize(text)).toBe(size))

  test.each(['', '12 apples', '1.5', '-1MB', '0MB', 'MB', '1e3MB'])('%j is not a size', (text) =>
    expect(() => parseSize(text)).toThrow(UsageError),
  )

  test.each([
    ['10m', 600_000],
    ['90s', 90_000],
    ['1.5h', 5_400_000],
    ['250ms', 250],
  ])('%s is a duration', (text, duration) => expect(parseDuration(text)).toBe(duration))

  test.each(['', '10', '-10m', 'm', 'ten minutes', '0s', '5 parsecs'])('%j is not a duration', (text) =>
    expect(() => parseDuration(text)).toThrow(UsageError),
  )

  test('numbers of CPUs, and integers with a minimum', () => {
    expect(parseCpus('0.5')).toBe(0.5)
    expect(integerParser(2, '512')('64')).toBe(64)
    for (const text of ['0', 'two', '-1', '1e1']) expect(() => parseCpus(text)).toThrow(UsageError)
    for (const text of ['1', '2.5', '-3', '']) expect(() => integerParser(2, '512')(text)).toThrow(UsageError)
  })

  test('capabilities are comma-separated and repeatable; the first dot separates type and name', () => {
    const first = collectCapabilities('runtime.node-18.2,os.linux', undefined)
    expect(collectCapabilities('package.build-essential', first)).toEqual([
      { type: 'runtime', name: 'node-18.2' },
      { type: 'os', name: 'linux' },
      { type: 'package', name: 'build-essential' },
    ])
    for (const text of ['node', 'engine.v8', 'os.', '.linux', ''])
      expect(() => collectCapabilities(text, undefined)).toThrow(UsageError)
  })

  test('environment variables: the first = separates key and value; a key may have any other character', () => {
    const environment = collectEnvironment('discovery.type=x', collectEnvironment('A=b=c,d', undefined))
    expect(Object.entries(environment)).toEqual([
      ['A', 'b=c,d'],
      ['discovery.type', 'x'],
    ])
    for (const text of ['A', '=x', '', '__proto__=x'])
      expect(() => collectEnvironment(text, undefined)).toThrow(UsageError)
  })

  test('published ports, with and without a host port', () => {
    expect(collectPublished('80', collectPublished('8080:3000', undefined))).toEqual([
      { host_port: 8080, container_port: 3000 },
      { host_port: 0, container_port: 80 },
    ])
    for (const text of ['http', '1:2:3', '70000:80', '80:', ':80', '80:0'])
      expect(() => collectPublished(text, undefined)).toThrow(UsageError)
  })
})

describe('nameOfSource', () => {
  test.each([
    ['/src/my-app', true, 'my-app'],
    ['/src/My App (2)', true, 'My-App-2'],
    ['/src/.hidden', true, 'hidden'],
    ['/src/app.tar.gz', true, 'app.tar.gz'],
    ['/src/app-1.2.tar.gz', false, 'app-1.2'],
    ['/src/app.tgz', false, 'app'],
    ['/src/app.tar.zst', false, 'app'],
    ['/src/app.zip', false, 'app'],
    ['/src/app-1.0.war', false, 'app-1.0'],
    ['/src/caf\u00e9', true, 'cafe'],
    ['/src/cafe\u0301', true, 'cafe'],
    ['/src/Stra\u00dfe \u0141\u00f3d\u017a', true, 'Strasse-Lodz'],
    ['/src/\ufb01le\u00b2', true, 'file2'],
    ['/src/\u65e5\u672c-app', true, 'app'],
    [`/src/${'a'.repeat(127)}-b`, true, 'a'.repeat(127)],
  ])('%s (directory: %s) gives %s', (source, isDirectory, name) =>
    expect(nameOfSource(source, isDirectory).name).toBe(name),
  )

  test.each(['/', '/src/\u65e5\u672c', '/src/---', '/src/...'])(
    'rejects %j, which has no letter for a name',
    (source) => expect(() => nameOfSource(source, true)).toThrow('give one with --name'),
  )
})

describe('aliases', () => {
  test('-ae and --start-cmd are the options that other clients call so, up to --', () => {
    expect(expandAliases(['run', 'x', '-ae', '--start-cmd', './a', '--start-cmd=b=c', '--', '-ae'])).toEqual([
      'run',
      'x',
      '--allow-egress',
      '--start-command',
      './a',
      '--start-command=b=c',
      '--',
      '-ae',
    ])
  })
})

describe('a moment', () => {
  const now = Date.parse('2024-05-02T12:00:00Z')

  test.each([
    ['2h', '2024-05-02T10:00:00.000Z'],
    ['1d12h', '2024-05-01T00:00:00.000Z'],
    ['2024-05-01T10:00:00Z', '2024-05-01T10:00:00.000Z'],
    ['2024-05-01 10:00+02:00', '2024-05-01T08:00:00.000Z'],
  ])('%s is %s', (text, time) => expect(parseSince(text, undefined, now).toISOString()).toBe(time))

  test('a date is its beginning in the local time zone', () => {
    expect(parseSince('2024-05-01', undefined, now)).toEqual(new Date(2024, 4, 1))
  })

  test.each(['', '2', 'yesterday', '2024', '2024-13-01', '2024-05-01T25:00', 'May 1'])('%j is none', (text) =>
    expect(() => parseSince(text)).toThrow(UsageError),
  )
})
