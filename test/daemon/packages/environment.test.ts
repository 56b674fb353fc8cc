import { describe, expect, it } from 'vitest'
import { mergeEnvironments } from '../../../daemon/packages/environment.js'

describe('merging environments', () => {
  it('prefers the value of the application over those of its dependencies', () => {
    expect(mergeEnvironments({ RAILS_ENV: 'development', LANG: 'C' }, { RAILS_ENV: 'production' })).toEqual({
      RAILS_ENV: 'production',
      LANG: 'C',
    })
  })

  it('expands a variable in its own value to the value of the layers below', () => {
    const merged = mergeEnvironments(
      { PATH: '/usr/bin:/bin' },
      { PATH: '/opt/ruby/bin:$PATH' },
      { PATH: '${PATH}:/app/bin' },
    )
    expect(merged.PATH).toBe('/opt/ruby/bin:/usr/bin:/bin:/app/bin')
  })

  it('leaves every other reference to the shell that runs the program', () => {
    expect(mergeEnvironments({ PORT: '1' }, { START_COMMAND: 'serve --port $PORT' }).START_COMMAND).toBe(
      'serve --port $PORT',
    )
    expect(mergeEnvironments({ PATH: '/bin' }, { PATH: '$PATHS:$PATH' }).PATH).toBe('$PATHS:/bin')
  })

  it.each([
    ['/opt/x/lib:$LD_LIBRARY_PATH', '/opt/x/lib'],
    ['$LD_LIBRARY_PATH:/opt/x/lib', '/opt/x/lib'],
    ['$LD_LIBRARY_PATH', ''],
  ])('removes the separator together with a reference that has no value: %s', (value, expected) => {
    expect(mergeEnvironments({ LD_LIBRARY_PATH: value }).LD_LIBRARY_PATH).toBe(expected)
  })

  it('reads braces around names that a shell cannot name', () => {
    expect(mergeEnvironments({ 'a.b': '1', 'c(d': '2' }, { 'a.b': '${a.b},$a.b,${axb}', 'c(d': '[${c(d}]' })).toEqual({
      'a.b': '1,$a.b,${axb}',
      'c(d': '[2]',
    })
  })

  it('inserts a value literally, without replacement patterns', () => {
    expect(mergeEnvironments({ X: '$&-$1' }, { X: '<$X>' }).X).toBe('<$&-$1>')
  })

  it('refuses what no process can be started with, before it is made', () => {
    const half = { GROWS: 'x'.repeat(60_000) }
    expect(() => mergeEnvironments(half, { GROWS: '$GROWS:$GROWS' })).not.toThrow()
    expect(() => mergeEnvironments(half, { GROWS: '$GROWS'.repeat(15_000) })).toThrow(
      'The variable "GROWS" is longer than 128 KiB with the values that it refers to: no process can get it.',
    )
    const many = Object.fromEntries(Array.from({ length: 20 }, (_, index) => [`V${index}`, 'x'.repeat(90_000)]))
    expect(() => mergeEnvironments(many)).toThrow(/^The environment has 1800\d{3} bytes, and a process can get at most/)
  })
})
