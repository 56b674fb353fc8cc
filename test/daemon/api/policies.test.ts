import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Policy, PolicyVersion } from '../../../daemon/documents/policy.js'
import type { Problem } from '../../../daemon/documents/problem.js'
import type { Resolution } from '../../../daemon/documents/resolution.js'
import { ApiUnderTest } from './api-under-test.js'

const RULES = encodeURIComponent('policydoc::/acme::rules')
const text = 'job::/acme { package.allow "package::/acme" }\n'

describe('policy documents over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
  })
  afterEach(() => under.close())

  it('are created, replaced, shown with their versions, listed and deleted', async () => {
    const made = await under.ask<Policy>('POST', '/v1/policies', { namespace: '/acme', name: 'rules', text })
    expect(made.status).toBe(201)
    expect(made.document).toMatchObject({ fqn: 'policydoc::/acme::rules', version: 1, text })
    expect((await under.ask('POST', '/v1/policies', { namespace: '/acme', name: 'rules', text })).status).toBe(409)

    const replaced = await under.ask<Policy>('PUT', `/v1/policies/${made.document.uuid}`, { text: '// nothing' })
    expect(replaced.document).toMatchObject({ version: 2, text: '// nothing' })
    expect((await under.ask('GET', `/v1/policies/${RULES}`)).document).toEqual(replaced.document)
    const versions = await under.ask<PolicyVersion[]>('GET', `/v1/policies/${RULES}/versions`)
    expect(versions.document.map(({ version, text: was }) => [version, was])).toEqual([
      [1, text],
      [2, '// nothing'],
    ])
    expect((await under.ask('GET', '/v1/policies?namespace=/acme')).document).toEqual([replaced.document])
    expect((await under.ask('GET', '/v1/policies?namespace=/other')).document).toEqual([])
    expect((await under.ask('DELETE', `/v1/policies/${RULES}`)).status).toBe(204)
    expect((await under.ask('GET', `/v1/policies/${RULES}`)).status).toBe(404)
  })

  it('are created by a PUT with a name, not with a UUID', async () => {
    expect((await under.ask<Policy>('PUT', `/v1/policies/${RULES}`, { text })).document.version).toBe(1)
    const nobody = '00000000-0000-4000-8000-000000000000'
    expect((await under.ask('PUT', `/v1/policies/${nobody}`, { text })).status).toBe(404)
  })

  it('tell the nodes that what is queued may begin now', async () => {
    let told = 0
    const stop = under.wakeups.listen('queued', () => void told++)
    const changes = [
      () => under.ask('POST', '/v1/policies', { namespace: '/acme', name: 'rules', text }),
      () => under.ask('PUT', `/v1/policies/${RULES}`, { text: '' }),
      () => under.ask('DELETE', `/v1/policies/${RULES}`),
    ]
    for (const [index, change] of changes.entries()) {
      await change()
      await expect.poll(() => told).toBe(index + 1)
    }
    stop()
  })

  it('with a syntax error are refused with its place, and nothing is changed', async () => {
    await under.ask('PUT', `/v1/policies/${RULES}`, { text })
    for (const [method, url] of [
      ['PUT', `/v1/policies/${RULES}`],
      ['POST', '/v1/policies'],
    ] as const) {
      const names = method === 'POST' ? { namespace: '/acme', name: 'other' } : {}
      const refused = await under.ask<Problem>(method, url, { ...names, text: 'job::/acme {\n  package.alow x\n}' })
      expect(refused.status).toBe(400)
      expect(refused.document).toMatchObject({
        code: 'bad-syntax',
        detail: expect.stringContaining('Line 2, column 3: expected one of the claims package.allow') as string,
      })
    }
    expect((await under.ask<Policy[]>('GET', '/v1/policies')).document.map(({ version }) => version)).toEqual([1])
  })
})

describe('a resolution over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
    const resource = await under.upload(gzipSync('data'))
    const add = (name: string, provides: string, ...needs: string[]) =>
      under.ask('POST', '/v1/packages', {
        namespace: '/pkg',
        name,
        provides: [capability(provides)],
        dependencies: needs.map(capability),
        resource,
        state: 'ready',
      })
    await add('debian', 'os.linux')
    await add('ruby-1', 'runtime.ruby', 'os.linux')
    await add('ruby-2', 'runtime.ruby', 'os.linux')
    await under.ask('POST', '/v1/packages', {
      namespace: '/acme',
      name: 'app',
      dependencies: [capability('runtime.ruby')],
    })
  })
  afterEach(() => under.close())

  const capability = (text: string) => {
    const [type = '', name = ''] = text.split('.')
    return { type, name }
  }
  const ask = <Document = Resolution>(question: object) =>
    under.ask<Document>('POST', '/v1/packages/resolution', question)
  const put = (rules: string) => under.ask('PUT', `/v1/policies/${RULES}`, { text: rules })

  it('of a package is explained, by the policies of its namespace', async () => {
    await put('job::/acme { package.default "package::/pkg::ruby-2" }')
    const { status, document } = await ask({ package: 'package::/acme::app' })
    expect(status).toBe(200)
    expect(document.packages.map(({ fqn }) => fqn)).toEqual(['package::/pkg::debian', 'package::/pkg::ruby-2'])
    expect(document).toMatchObject({ subject: 'package::/acme::app', namespace: '/acme' })
    expect(document.decisions[0]).toEqual({
      dependency: capability('runtime.ruby'),
      needed_by: 'package::/acme::app',
      candidates: [
        {
          package: 'package::/pkg::ruby-2',
          verdict: 'taken',
          reason: 'it is the default by policydoc::/acme::rules, line 1',
        },
        { package: 'package::/pkg::ruby-1', verdict: 'passed over', reason: 'package::/pkg::ruby-2 is the default' },
      ],
    })
    expect(document.explanation[0]).toBe('runtime.ruby, which package::/acme::app needs:')
  })

  it('of dependencies alone is that of a job in the given namespace', async () => {
    await put('job::/acme { package.retire "package::/pkg::ruby-1" }')
    const dependencies = [capability('runtime.ruby')]
    const inside = await ask({ dependencies, namespace: '/acme/web' })
    expect(inside.document.packages.map(({ fqn }) => fqn)).toContain('package::/pkg::ruby-2')
    const outside = await ask({ dependencies })
    expect(outside.document.packages.map(({ fqn }) => fqn)).toContain('package::/pkg::ruby-1')
  })

  it('that fails is refused: 422 for a missing package, 403 for a policy', async () => {
    const gap = await ask<Problem>({ package: 'package::/acme::app', dependencies: [capability('file.gone')] })
    expect(gap).toMatchObject({ status: 422, document: { code: 'unresolved' } })
    expect(gap.document.detail).toContain('nothing provides file.gone: import a package that does')
    await put('job::/acme { package.allow "package::/acme" }')
    const refused = await ask<Problem>({ package: 'package::/acme::app' })
    expect(refused).toMatchObject({ status: 403, document: { code: 'policy' } })
    expect(refused.document.detail).toContain(
      'ruby-1 refused, because it is not allowed by policydoc::/acme::rules, line 1',
    )
  })

  it.each([
    [{}, 400],
    [{ dependencies: [] }, 400],
    [{ dependencies: [{ type: 'os', name: 'two words' }] }, 400],
    [{ package: 'app' }, 400],
    [{ package: 'package::/acme::nobody' }, 404],
    [{ dependencies: [{ type: 'os', name: 'linux' }], namespace: 'acme' }, 400],
  ])('of %j is answered with %i', async (question, status) => {
    expect((await ask(question)).status).toBe(status)
  })
})
