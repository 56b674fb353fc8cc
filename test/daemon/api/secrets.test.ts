import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Problem } from '../../../daemon/documents/problem.js'
import type { StagerSecret } from '../../../daemon/documents/secret.js'
import type { Stager } from '../../../daemon/documents/stager.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { ApiUnderTest } from './api-under-test.js'

const SECRET = 'npm_0123456789abcdef'
const base64 = (text: string) => Buffer.from(text).toString('base64')
const STAGER = encodeURIComponent('job::/acme::one')

describe('secrets over the API', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
    await under.ask('POST', '/v1/packages', { namespace: '/acme', name: 'program' })
    const draft = { namespace: '/acme', name: 'one', package: '/acme::program', start_command: './stage' }
    await under.ask('POST', '/v1/stagers', { ...draft, secrets: ['NPM_TOKEN', 'id_rsa', 'NPM_TOKEN'] })
  })
  afterEach(() => under.close())

  it('a stager names those that it takes', async () => {
    const shown = async () => (await under.ask<Stager>('GET', `/v1/stagers/${STAGER}`)).document.secrets
    expect(await shown()).toEqual(['NPM_TOKEN', 'id_rsa'])
    await under.ask('PATCH', `/v1/stagers/${STAGER}`, { secrets_add: ['other'], secrets_remove: ['id_rsa'] })
    expect(await shown()).toEqual(['NPM_TOKEN', 'other'])
    await under.ask('PATCH', `/v1/stagers/${STAGER}`, { user: 'root' })
    expect(await shown()).toEqual(['NPM_TOKEN', 'other'])
  })

  it.each([
    [['../etc/passwd'], 'bad-secret-name'],
    [['.hidden'], 'bad-secret-name'],
    [['a'.repeat(65)], 'bad-secret-name'],
    [['a\nb'], 'bad-secret-name'],
    [Array.from({ length: 32 }, (_, index) => `n${index}`), 'too-many-secrets'],
  ])('a stager cannot take %j', async (names, code) => {
    const { status, document } = await under.ask<Problem>('PATCH', `/v1/stagers/${STAGER}`, { secrets_add: names })
    expect([status, document.code]).toEqual([400, code])
  })

  it('a stager has some itself, whose values nobody gets back', async () => {
    const url = `/v1/stagers/${STAGER}/secrets`
    const set = await under.ask<StagerSecret>('PUT', `${url}/NPM_TOKEN`, { value: base64(SECRET) })
    expect(set).toMatchObject({ status: 200, document: { name: 'NPM_TOKEN' } })
    await under.ask('PUT', `${url}/id_rsa`, { value: base64('a key') })
    const { document: listed } = await under.ask<StagerSecret[]>('GET', url)
    expect(listed.map(({ name }) => name)).toEqual(['NPM_TOKEN', 'id_rsa'])
    expect(listed[0]).toEqual(set.document)
    expect((await under.ask('DELETE', `${url}/NPM_TOKEN`)).status).toBe(204)
    expect((await under.ask<Problem>('DELETE', `${url}/NPM_TOKEN`)).document.code).toBe('secret-not-found')
    expect((await under.ask<Problem>('PUT', `${url}/..%2Fx`, { value: base64(SECRET) })).document.code).toBe(
      'bad-secret-name',
    )
    expect(JSON.stringify([set, listed, under.logged])).not.toContain(SECRET)
  })

  describe('of a staging', () => {
    let draft: object
    beforeEach(async () => {
      const resource = await under.upload('the data of a package')
      const named = { namespace: '/acme', name: 'app', resource, state: 'uploaded' }
      await under.ask('POST', '/v1/packages', named)
      await under.ask('POST', '/v1/stagingpipelines', {
        namespace: '/acme',
        name: 'pipe',
        stagers: ['job::/acme::one'],
      })
      draft = { package: 'package::/acme::app', pipeline: 'stagpipe::/acme::pipe' }
    })

    it('are shown by name alone', async () => {
      const secrets = { NPM_TOKEN: base64(SECRET) }
      const { status, document } = await under.ask<Staging>('POST', '/v1/stagings', { ...draft, secrets })
      expect([status, document.secrets]).toEqual([201, ['NPM_TOKEN']])
      const shown = await under.ask('GET', `/v1/stagings/${document.uuid}`)
      for (const text of [SECRET, base64(SECRET)])
        expect(JSON.stringify([document, shown, under.logged])).not.toContain(text)
    })

    it('are refused without a word of theirs if they are no base64, or the document is none', async () => {
      const json = { 'content-type': 'application/json' }
      const answers = [
        await under.ask<Problem>('POST', '/v1/stagings', { ...draft, secrets: { NPM_TOKEN: `${SECRET}!` } }),
        await under.ask<Problem>('POST', '/v1/stagings', { ...draft, secrets: [`${SECRET}!`] }),
        await under.ask<Problem>('POST', '/v1/stagings', `{"secrets":{"NPM_TOKEN":"${SECRET}"`, json),
        await under.ask<Problem>('POST', '/v1/stagings', `{"secrets":${SECRET}`, json),
      ]
      expect(answers.map(({ status }) => status)).toEqual([400, 400, 400, 400])
      expect(JSON.stringify([answers, under.logged])).not.toContain(SECRET)
    })
  })
})
