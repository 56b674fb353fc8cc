import { describe, expect, it } from 'vitest'
import { chooseRuntime } from '../../../daemon/cloud-foundry/runtimes.js'

const alias = (name: string, pipeline: string) => ({ capability: { type: 'runtime' as const, name }, pipeline })
const ALIASES = new Map([
  ['ruby19', alias('ruby', 'ruby')],
  ['ruby', alias('ruby', 'ruby')],
  ['node06', alias('node', 'nodejs')],
  ['php', alias('php', 'php')],
])
const THERE = [
  'node',
  'node-24',
  'node-24.1',
  'node-20',
  'ruby',
  'ruby-3',
  'ruby-3.1',
  'ruby-1.8',
  'python',
  'python-3.11',
]

const choose = (name: string, version?: string) => chooseRuntime({ name, version }, ALIASES, THERE)

describe('the runtime of a request', () => {
  it.each<[string, string | undefined, string, string | undefined]>([
    ['ruby19', '3.1.2', 'ruby-3.1', 'ruby'],
    ['ruby19', '1.8.7', 'ruby-1.8', 'ruby'],
    ['node06', '24.1.9', 'node-24.1', 'nodejs'],
    ['node06', '20.11.0', 'node-20', 'nodejs'],
    ['node20', undefined, 'node-20', 'nodejs'],
    ['node-20', undefined, 'node-20', 'nodejs'],
    ['ruby', '3.1', 'ruby-3.1', 'ruby'],
    ['ruby', '3', 'ruby-3', 'ruby'],
    ['python', '3.11.4', 'python-3.11', undefined],
  ])('%s of version %s is %s, where that is there', (name, version, runtime, pipeline) => {
    expect(choose(name, version)).toEqual({
      capability: { type: 'runtime', name: runtime },
      ...{ pipeline, isExact: true, line: undefined },
    })
  })

  it.each<[string, string | undefined, string, string | undefined]>([
    ['ruby19', '1.9.3', 'ruby', 'The runtime "ruby19" ("1.9.3") is not there: using runtime.ruby'],
    ['ruby19', undefined, 'ruby', 'The runtime "ruby19" is not there: using runtime.ruby'],
    // No other major version is a substitute that goes without saying.
    ['ruby19', '3.0.1', 'ruby', 'The runtime "ruby19" ("3.0.1") is not there: using runtime.ruby'],
    ['ruby', undefined, 'ruby', undefined],
    ['python', undefined, 'python', undefined],
  ])('%s of version %s is served by %s otherwise, and the log says so', (name, version, runtime, line) => {
    expect(choose(name, version)).toMatchObject({ capability: { name: runtime }, isExact: false, line })
  })

  it.each([
    ['cobol', undefined],
    ['php', '5.3'],
    ['python', '2.7'],
    ['__proto__', 'x'],
  ])('%s of version %s is told with those that are there', (name, version) => {
    expect(() => choose(name, version)).toThrow(
      'is not there: there are node-24.1, node-20, ruby-3.1, ruby-1.8, python-3.11.',
    )
  })

  it('is told where there is none at all', () => {
    expect(() => chooseRuntime({ name: 'php', version: undefined }, ALIASES, [])).toThrow(
      'there is none; make one with `stagectl bootstrap`',
    )
  })
})
