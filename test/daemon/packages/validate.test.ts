import { describe, expect, it } from 'vitest'
import type { CapabilityType } from '../../../daemon/packages/metadata.js'
import {
  assertCapability,
  assertEnvironmentKey,
  assertEnvironmentValue,
  canonicalTemplate,
} from '../../../daemon/packages/validate.js'
import { BadInput } from '../../../base/errors.js'

describe('a capability', () => {
  it.each(['linux', 'ruby-2.0.0-p195', 'libstdc++6:amd64', '/usr/bin/env', 'naïve', '日本', 'x'.repeat(255)])(
    'can be named %j',
    (name) => expect(() => assertCapability({ type: 'os', name })).not.toThrow(),
  )
  it.each(['', ' ', 'two words', 'a\tb', 'a\nb', 'a\u0000', '\u001b[31m', '\u0085', 'x'.repeat(256), '\ud800'])(
    'cannot be named %j',
    (name) => expect(() => assertCapability({ type: 'os', name })).toThrow(BadInput),
  )
  it('has one of four types', () => {
    const type = 'service' as CapabilityType
    expect(() => assertCapability({ type, name: 'x' })).toThrow(/"service".*os, runtime, file, package/)
  })
})

describe('an environment', () => {
  it.each([
    'PATH',
    '_',
    'discovery.type',
    'npm_config_//registry.example.org/:_authToken',
    '1A',
    'A B',
    'Ä',
    'a\nb',
    'constructor',
    'x'.repeat(1024),
  ])('can have the key %j', (key) => {
    expect(() => assertEnvironmentKey(key)).not.toThrow()
  })
  it.each(['', 'A=B', '=', 'A\0', '\ud800', '__proto__', 'ä'.repeat(513)])('cannot have the key %j', (key) => {
    expect(() => assertEnvironmentKey(key)).toThrow(/environment variable/)
  })
  it('can have any value that execve accepts', () => {
    expect(() => assertEnvironmentValue('A', 'line\nline ü $PATH')).not.toThrow()
    expect(() => assertEnvironmentValue('A', 'a\0b')).toThrow(/NUL/)
    expect(() => assertEnvironmentValue('A', 'x'.repeat(200_000))).toThrow(/96 KiB/)
  })
})

describe('a template', () => {
  const template = (path: string, left = '{{', right = '}}') => ({
    path,
    left_delimiter: left,
    right_delimiter: right,
  })
  it.each(['foo', 'app/config/app.yml', './foo', '/etc/motd', 'a..b/c', 'añb'])('can have the path %j', (path) => {
    expect(() => canonicalTemplate(template(path))).not.toThrow()
  })
  it.each(['', '/', '../x', '/../x', 'a/../../b', 'a/..', 'a/', 'a\nb', 'a\0'])('cannot have the path %j', (path) => {
    expect(() => canonicalTemplate(template(path))).toThrow(BadInput)
  })
  it('has its path from the root, without a slash at the beginning', () => {
    expect(canonicalTemplate(template('/etc/añb', '<<', '>>'))).toEqual(template('etc/añb', '<<', '>>'))
  })
  it('must have delimiters', () => {
    expect(() => canonicalTemplate(template('foo', '<<', '>>'))).not.toThrow()
    expect(() => canonicalTemplate(template('foo', ''))).toThrow(/delimiter/)
  })
})
