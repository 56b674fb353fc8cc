import path from 'node:path'
import { beforeEach, expect, test } from 'vitest'
import type { Policy } from '../../daemon/documents/policy.js'
import type { Resolution } from '../../daemon/documents/resolution.js'
import { anyPackage } from './support/documents.js'
import { FakeProblem } from './support/fake-api.js'
import { useHarness } from './support/harness.js'
import { writeTree } from './support/workspace.js'

const harness = useHarness()
beforeEach(() => void harness().api.on('GET /v1/packages/:ref', anyPackage))
const TIME = '2024-05-01T10:00:00.000Z'
const UUID = '7c1a4d0e-2f64-4f0e-9d57-3f1f1f0a7c11'

function aPolicy(overrides: Partial<Policy> = {}): Policy {
  const fqn = 'policydoc::/prod::rules'
  const names = { uuid: UUID, fqn, namespace: '/prod', name: 'rules' }
  return { ...names, version: 2, text: 'job::/ { }\n', created_at: TIME, updated_at: TIME, ...overrides }
}

test('policy put takes the name from the file or from --name', async () => {
  const { api, run, root } = harness()
  await writeTree(root, { 'rules.pol': 'job::/ { }\n' })
  api.on('PUT /v1/policies/:ref', () => aPolicy())
  const { code, io } = await run('policy', 'put', 'rules.pol', '--namespace', '/prod')
  expect([code, io.out]).toEqual([0, 'Stored policydoc::/prod::rules, version 2.\n'])
  expect(api.sent('PUT /v1/policies/policydoc::/prod::rules')).toEqual({ text: 'job::/ { }\n' })
  await run('policy', 'put', path.join(root, 'rules.pol'), '--name', '/acme::other')
  expect(api.requested).toContain('PUT /v1/policies/policydoc::/acme::other')
})

test('policy put reports a syntax error with file, line and column', async () => {
  const { api, run, root } = harness()
  await writeTree(root, { 'rules.pol': 'job::/ {' })
  api.on('PUT /v1/policies/:ref', () => {
    throw new FakeProblem(400, 'bad-syntax', 'Line 1, column 9: expected a claim, found the end of the text.')
  })
  const { code, io } = await run('policy', 'put', 'rules.pol')
  expect(code).toBe(4)
  expect(io.err).toBe('stagectl: rules.pol: Line 1, column 9: expected a claim, found the end of the text.\n')
  const missing = await run('policy', 'put', 'gone.pol')
  expect([missing.code, missing.io.err]).toEqual([
    4,
    'stagectl: "gone.pol" cannot be used: it does not exist; give the path of a policy document, such as prod.pol.\n',
  ])
})

test('policy show prints the versions and the latest text, or only the text of one version', async () => {
  const { api, run } = harness()
  api.on('GET /v1/policies/:ref', () => aPolicy())
  api.on('GET /v1/policies/:ref/versions', () => [
    { version: 1, text: '// first\n', created_at: TIME },
    { version: 2, text: 'job::/ { }\n', created_at: TIME },
  ])
  const shown = await run('policy', 'show', '/prod::rules')
  expect(shown.io.out).toBe(
    [
      'Policy: rules',
      'FQN: policydoc::/prod::rules',
      `UUID: ${UUID}`,
      `Versions: 1, put ${TIME}`,
      `  2, put ${TIME}`,
      '',
      'job::/ { }\n',
    ].join('\n'),
  )
  expect((await run('policy', 'show', '/prod::rules', '--version-number', '1')).io.out).toBe('// first\n')
  const none = await run('policy', 'show', '/prod::rules', '--version-number', '3')
  expect([none.code, none.io.err]).toEqual([
    4,
    'stagectl: policydoc::/prod::rules has no version "3": it has versions 1 to 2.\n',
  ])
})

test('policy list prints a table, policy delete deletes', async () => {
  const { api, run } = harness()
  api.on('GET /v1/policies', ({ query }) => (query.get('namespace') === '/prod' ? [aPolicy()] : []))
  const { io } = await run('policy', 'list', '--namespace', '/prod')
  expect(io.out).toMatch(/^FQN +VERSION +CHANGED\npolicydoc::\/prod::rules +2 +2024/)
  expect((await run('policy', 'list')).io.out).toBe('No policy documents in /: every package may resolve.\n')
  api.on('GET /v1/policies/:ref', () => aPolicy())
  api.on('DELETE /v1/policies/:ref', () => null)
  expect((await run('policy', 'delete', '/prod::rules', '--batch')).io.out).toBe('Deleted policydoc::/prod::rules.\n')
})

const RESOLUTION: Resolution = {
  subject: 'package::/::app',
  namespace: '/',
  packages: [
    { uuid: UUID, fqn: 'package::/::debian' },
    { uuid: UUID, fqn: 'package::/::ruby' },
  ],
  decisions: [],
  explanation: [
    'runtime.ruby, which package::/::app needs:',
    '  package::/::ruby taken, because nothing else provides it',
  ],
}

test('package resolve prints the resolved packages, with --explain after the explanation', async () => {
  const { api, run } = harness()
  api.on('POST /v1/packages/resolution', () => RESOLUTION)
  const closure =
    'package::/::app resolves to, from the operating system up:\n  package::/::debian\n  package::/::ruby\n'
  expect((await run('package', 'resolve', 'app')).io.out).toBe(closure)
  expect(api.sent('POST /v1/packages/resolution')).toEqual({ package: 'package::/::app' })
  const explained = await run('package', 'resolve', 'app', '--explain')
  expect(explained.io.out).toBe(`${RESOLUTION.explanation.join('\n')}\n\n${closure}`)
  expect((await run('package', 'resolve', 'app', '--json')).io.document()).toEqual(RESOLUTION)
})

test('package resolve --depends-on resolves as a job in the current namespace', async () => {
  const { api, run } = harness()
  api.on('POST /v1/packages/resolution', () => ({ ...RESOLUTION, subject: 'a job in /prod' }))
  const argv = ['package', 'resolve', '--depends-on', 'runtime.ruby,os.linux', '--namespace', '/prod']
  expect((await run(...argv)).io.out).toContain('a job in /prod resolves to')
  expect(api.sent('POST /v1/packages/resolution')).toEqual({
    namespace: '/prod',
    dependencies: [
      { type: 'runtime', name: 'ruby' },
      { type: 'os', name: 'linux' },
    ],
  })
  expect((await run('package', 'resolve')).code).toBe(2)
})

test.each([
  [422, 'unresolved', 13],
  [403, 'policy', 5],
])('package resolve: status %i (%s) is exit code %i', async (status, problem, expected) => {
  const { api, run } = harness()
  api.on('POST /v1/packages/resolution', () => {
    throw new FakeProblem(status, problem, 'runtime.ruby cannot be resolved:\n  nothing provides it')
  })
  const { code, io } = await run('package', 'resolve', 'app', '--explain')
  expect(code).toBe(expected)
  expect(io.err).toBe('stagectl: runtime.ruby cannot be resolved:\n  nothing provides it\n')
})
