import { describe, expect, test } from 'vitest'
import { parseRuntime } from '../../cli/options/parse-runtime.js'
import { withRuntime } from '../../cli/source/wishes.js'
import type { Capability } from '../../daemon/documents/capability.js'

const list = (text: string): Capability[] =>
  text
    .split(' ')
    .filter((one) => one !== '')
    .map((one) => ({ type: one.split('.')[0] as Capability['type'], name: one.slice(one.indexOf('.') + 1) }))
const names = (dependencies: readonly Capability[] = []) =>
  dependencies.map(({ type, name }) => `${type}.${name}`).join(' ')

describe('--runtime', () => {
  test.each([
    ['of a new package is its dependency', 'node-20', undefined, undefined, 'runtime.node-20'],
    ['with a prefix is the same', 'runtime.node-20', undefined, undefined, 'runtime.node-20'],
    [
      'is added to other dependencies',
      'node-20',
      'package.x os.debian',
      undefined,
      'package.x os.debian runtime.node-20',
    ],
    ['goes over another version', 'node-20', 'runtime.node-18 package.x', undefined, 'package.x runtime.node-20'],
    [
      'goes over the version of an earlier call',
      'node-20',
      undefined,
      'package.x runtime.node',
      'package.x runtime.node-20',
    ],
    ['goes over another variant', 'php-8.2', undefined, 'runtime.php-fpm-8.2', 'runtime.php-8.2'],
    ['leaves other languages', 'ruby-3.1', undefined, 'runtime.node-18', 'runtime.node-18 runtime.ruby-3.1'],
  ])('%s', (_what, runtime, given, before, expected) => {
    const { dependencies } = withRuntime(
      { dependencies: given === undefined ? undefined : list(given) },
      parseRuntime(runtime),
      before === undefined ? undefined : { dependencies: list(before), environment: {} },
    )
    expect(names(dependencies)).toBe(expected)
  })

  test('of what a stager has chosen before takes its mark away, and so does --depends-on', () => {
    const before = {
      dependencies: list('runtime.node-18'),
      environment: { STAGER_ADDED: 'runtime.node-18 package.nginx' },
    }
    const environment = { STAGER_ADDED: 'package.nginx', A: 'b' }
    expect(withRuntime({ environment: { A: 'b' } }, parseRuntime('node-18'), before).environment).toEqual(environment)
    const dependencies = list('runtime.node-18')
    expect(withRuntime({ dependencies, environment: { A: 'b' } }, undefined, before).environment).toEqual(environment)
  })

  test('without it, and without --depends-on, a package keeps what it has', () => {
    const before = { dependencies: list('runtime.node-18'), environment: { STAGER_ADDED: 'runtime.node-18' } }
    expect(withRuntime({}, undefined, before)).toEqual({ dependencies: undefined, environment: undefined })
  })
})
