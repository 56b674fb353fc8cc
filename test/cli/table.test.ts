import { describe, expect, test } from 'vitest'
import type { Staging } from '../../daemon/documents/staging.js'
import { aPackage, aStager, aStaging, ended } from './support/documents.js'
import { useHarness } from './support/harness.js'

const harness = useHarness()
const UTF8 = { NO_COLOR: '1', LANG: 'en_US.UTF-8' }

/** Long names that differ in their ends, and one that differs in its beginning. */
const NAMES = ['billing-service-frontend-v1', 'billing-service-frontend-v2', 'payment-service-frontend-v2']
const STAGINGS: readonly Staging[] = NAMES.map((name, index) => ({
  ...(index === 1 ? ended('failed', 'infrastructure') : aStaging({ state: 'succeeded' })),
  uuid: `${index}f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a7`,
  package: `package::/acme/web/applications::${name}`,
  pipeline: 'stagpipe::/apcera::nodejs',
}))

async function listed(columns: number | undefined, env: Record<string, string> = UTF8): Promise<readonly string[]> {
  const { api, io, start } = harness()
  api.on('GET /v1/stagings', () => STAGINGS)
  const captured = io({ env, ...(columns === undefined ? {} : { terminal: true, columns }) })
  expect(await start(captured, 'staging', 'list')).toBe(0)
  return captured.out.trimEnd().split('\n')
}

describe('a list of stagings', () => {
  test('at 80 columns keeps the states whole, and what tells the rows apart', async () => {
    const lines = await listed(80)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    const rows = lines.slice(1).map((line) => line.split(/ {2,}/))
    expect(rows.map(([id, state]) => [id, state])).toEqual([
      ['0f0c6d0e', 'succeeded'],
      ['1f0c6d0e', 'failed (infrastructure)'],
      ['2f0c6d0e', 'succeeded'],
    ])
    expect(new Set(rows.map(([, , name]) => name)).size).toBe(3)
    for (const [, , name, pipeline] of rows) {
      expect(name).toMatch(/….*-v[12]$/)
      expect(pipeline).toMatch(/nodejs$/)
    }
  })

  test('is as wide as its values at 200 columns, and in a pipe', async () => {
    for (const lines of [await listed(200), await listed(undefined)])
      for (const [index, line] of lines.slice(1).entries()) {
        expect(line).toContain(STAGINGS[index]!.uuid)
        expect(line).toContain(STAGINGS[index]!.package)
      }
  })

  test('is wider than the terminal rather than the same in different rows', async () => {
    const lines = await listed(30)
    expect(new Set(lines.map((line) => line.split(/ {2,}/)[2])).size).toBe(4)
    expect(lines[2]).toContain('failed (infrastructure)')
  })

  test.each([{}, { LANG: 'C' }, { LANG: 'de_DE.UTF-8', LC_ALL: 'POSIX' }, { LANG: 'de_DE.ISO-8859-1' }])(
    'is ASCII in the locale %j',
    async (locale) => {
      const text = (await listed(80, { NO_COLOR: '1', ...locale })).join('\n')
      expect(text).toMatch(/^[\x20-\x7e\n]*$/)
      expect(text).toContain('..')
    },
  )
})

test('the beginnings of IDs that are the same are not shortened', async () => {
  const { api, io, start } = harness()
  const stagings = STAGINGS.map((one, index) => ({ ...one, uuid: `5f0c6d0e-9a3f-4c55-8d0b-0d8cf1a5a6a${index}` }))
  api.on('GET /v1/stagings', () => stagings)
  const captured = io({ env: UTF8, terminal: true, columns: 80 })
  await start(captured, 'staging', 'list')
  for (const { uuid } of stagings) expect(captured.out).toContain(uuid)
})

test('lists are shortened at their end, and control characters of values are escaped', async () => {
  const { api, io, start } = harness()
  const provides = ['node', 'node-20', 'node-20.1', 'node-20.1.2'].map((name) => ({ type: 'runtime' as const, name }))
  api
    .on('GET /v1/packages', () => [aPackage({ name: 'node', provides })])
    .on('GET /v1/stagers', () => [aStager({ start_command: './a\nb\x1b]0;x\x07' })])
  const packages = io({ env: UTF8, terminal: true, columns: 60 })
  await start(packages, 'package', 'list')
  expect(packages.out).toMatch(/runtime\.node, .*…\n$/)
  const stagers = io({ env: UTF8, terminal: true, columns: 200 })
  await start(stagers, 'stager', 'list')
  expect(stagers.out).toContain('./a\\x0ab\\x1b]0;x\\x07')
  expect(stagers.out.trimEnd().split('\n')).toHaveLength(2)
})
