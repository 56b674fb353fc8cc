import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { BadInput, TooLarge } from '../../../base/errors.js'
import {
  applyChange,
  applyChanges,
  METADATA_LIMITS,
  type MetadataChange,
} from '../../../daemon/packages/metadata-change.js'
import { CAPABILITY_TYPES, EMPTY_METADATA, type PackageMetadata } from '../../../daemon/packages/metadata.js'

const key = fc.constantFrom('PATH', 'RAILS_ENV', 'START_COMMAND', '_', 'constructor', 'toString', '__defineGetter__')
const name = fc.constantFrom('linux', 'ruby-1.9', 'node', '__proto__', 'constructor')
const capability = fc.record({ type: fc.constantFrom(...CAPABILITY_TYPES), name })
const template = fc.record({
  path: fc.constantFrom('foo', 'app/config.yml'),
  left_delimiter: fc.constantFrom('{{', '<<'),
  right_delimiter: fc.constantFrom('}}', '>>'),
})
const change: fc.Arbitrary<MetadataChange> = fc.oneof(
  fc.record({
    resource: fc.constant('environment' as const),
    action: fc.constant('add' as const),
    key,
    value: fc.string({ unit: 'grapheme' }).filter((text) => !text.includes('\0')),
  }),
  fc.record({ resource: fc.constant('environment' as const), action: fc.constant('remove' as const), key }),
  fc.record({
    resource: fc.constantFrom('provides' as const, 'dependencies' as const),
    action: fc.constantFrom('add' as const, 'remove' as const),
    capability,
  }),
  fc.record({
    resource: fc.constant('templates' as const),
    action: fc.constantFrom('add' as const, 'remove' as const),
    template,
  }),
)
/** Metadata that results from a series of changes. */
const metadata = fc
  .array(change, { maxLength: 12 })
  .map((changes) => changes.reduce<PackageMetadata>(applyChange, EMPTY_METADATA))

/** As text, so that the order of the keys of an environment counts. */
const text = (value: PackageMetadata) => JSON.stringify(value)

describe('any change', () => {
  it('is idempotent', () => {
    fc.assert(
      fc.property(metadata, change, (before, change) => {
        const once = applyChange(before, change)
        expect(text(applyChange(once, change))).toBe(text(once))
      }),
    )
  })

  it('does not modify its argument', () => {
    fc.assert(
      fc.property(metadata, change, (before, change) => {
        const as = text(before)
        applyChange(before, change)
        expect(text(before)).toBe(as)
      }),
    )
  })

  it('affects only its own resource', () => {
    fc.assert(
      fc.property(metadata, change, (before, change) => {
        const after = applyChange(before, change)
        for (const other of ['environment', 'provides', 'dependencies', 'templates'] as const)
          if (other !== change.resource) expect(after[other]).toBe(before[other])
      }),
    )
  })

  it('keeps the order of existing entries', () => {
    fc.assert(
      fc.property(metadata, change, (before, change) => {
        const after = applyChange(before, change)
        // Each list separately: the same capability may be in both.
        for (const list of ['provides', 'dependencies', 'templates'] as const) {
          const was = before[list].map((entry) => text(entry as never))
          const is = after[list].map((entry) => text(entry as never))
          expect(is.filter((entry) => was.includes(entry))).toEqual(was.filter((entry) => is.includes(entry)))
        }
        const was = Object.keys(before.environment)
        const is = Object.keys(after.environment)
        expect(is.filter((key) => was.includes(key))).toEqual(was.filter((key) => is.includes(key)))
      }),
    )
  })
})

describe('the addition of a new entry', () => {
  it('is reverted by its removal', () => {
    fc.assert(
      fc.property(metadata, change, (before, change) => {
        const without = applyChange(before, { ...change, action: 'remove' })
        const added = { value: 'x', ...change, action: 'add' } as MetadataChange
        const back = applyChange(applyChange(without, added), { ...change, action: 'remove' })
        expect(text(back)).toBe(text(without))
      }),
    )
  })
})

describe('an environment', () => {
  const set = (metadata: PackageMetadata, key: string, value: string) =>
    applyChange(metadata, { resource: 'environment', action: 'add', key, value })

  it('keeps the position of a variable that gets a new value', () => {
    const metadata = set(set(set(EMPTY_METADATA, 'A', '1'), 'B', '2'), 'A', '3')
    expect(JSON.stringify(metadata.environment)).toBe('{"A":"3","B":"2"}')
  })

  it('accepts an empty value, which clients send for START_COMMAND', () => {
    expect(set(EMPTY_METADATA, 'START_COMMAND', '').environment).toEqual({ START_COMMAND: '' })
  })

  it.each([
    ['', 'x'],
    ['A=B', 'x'],
    ['__proto__', 'polluted'],
    ['A', 'nul\0'],
    ['A', '\ud800'],
  ])('refuses %j=%j', (key, value) => {
    expect(() => set(EMPTY_METADATA, key, value)).toThrow(BadInput)
    expect(({} as { polluted?: string }).polluted).toBeUndefined()
  })

  it('keeps a key __proto__ from another source as data, and can remove it', () => {
    const odd = { ...EMPTY_METADATA, environment: JSON.parse('{"__proto__":"x","A":"1"}') as Record<string, string> }
    expect(JSON.stringify(set(odd, 'B', '2').environment)).toBe('{"__proto__":"x","A":"1","B":"2"}')
    const without = applyChange(odd, { resource: 'environment', action: 'remove', key: '__proto__' })
    expect(JSON.stringify(without.environment)).toBe('{"A":"1"}')
  })
})

describe('limits', () => {
  const full: PackageMetadata = {
    ...EMPTY_METADATA,
    provides: Array.from({ length: METADATA_LIMITS.provides }, (_, i) => ({ type: 'os' as const, name: `n${i}` })),
  }
  const provide = (name: string, action: 'add' | 'remove' = 'add'): MetadataChange => ({
    resource: 'provides',
    action,
    capability: { type: 'os', name },
  })

  it('refuse one entry too many', () => {
    expect(() => applyChange(full, provide('more'))).toThrow(TooLarge)
  })
  it('permit changes that have no effect and removals', () => {
    expect(applyChange(full, provide('n0')).provides).toHaveLength(METADATA_LIMITS.provides)
    expect(applyChange(full, provide('n0', 'remove')).provides).toHaveLength(METADATA_LIMITS.provides - 1)
  })
  it('hold for the result of several changes', () => {
    const swapped = applyChanges(full, [provide('more'), provide('n0', 'remove')])
    expect(swapped.provides).toHaveLength(METADATA_LIMITS.provides)
    expect(() => applyChanges(full, [provide('more'), provide('most'), provide('n0', 'remove')])).toThrow(TooLarge)
  })
  it('refuse more than 1 MiB of values', () => {
    const put = (metadata: PackageMetadata, i: number) =>
      applyChange(metadata, { resource: 'environment', action: 'add', key: `K${i}`, value: 'x'.repeat(90_000) })
    expect(() => Array.from({ length: 12 }, (_, i) => i).reduce(put, EMPTY_METADATA)).toThrow(/1 MiB/)
  })
})

describe('a template', () => {
  const change = (action: 'add' | 'remove', path: string): MetadataChange => ({
    resource: 'templates',
    action,
    template: { path, left_delimiter: '{{', right_delimiter: '}}' },
  })
  const paths = (...changes: readonly MetadataChange[]) =>
    changes.reduce<PackageMetadata>(applyChange, EMPTY_METADATA).templates.map(({ path }) => path)

  it('has the same path with and without a slash at the beginning', () => {
    expect(paths(change('add', '/app/config.yml'))).toEqual(['app/config.yml'])
    expect(paths(change('add', '/app/config.yml'), change('add', 'app/config.yml'))).toEqual(['app/config.yml'])
    expect(paths(change('add', 'app/config.yml'), change('remove', '/app/config.yml'))).toEqual([])
  })
})
