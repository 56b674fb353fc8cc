import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Detection, DetectionQuestion } from '../../../daemon/documents/detection.js'
import { ApiUnderTest } from './api-under-test.js'

describe('POST /v1/detections', () => {
  let under: ApiUnderTest
  beforeEach(async () => {
    under = await ApiUnderTest.open()
    await under.ask('POST', '/v1/packages', { namespace: '/', name: 'program' })
    const stager = { namespace: '/', name: 'one', package: 'package::/::program', start_command: './stager' }
    expect((await under.ask('POST', '/v1/stagers', stager)).status).toBe(201)
  })
  afterEach(() => under.close())

  const add = async (namespace: string, name: string, ...signs: string[]) => {
    const pipeline = { namespace, name, stagers: ['job::/::one'], signs }
    expect((await under.ask('POST', '/v1/stagingpipelines', pipeline)).status).toBe(201)
  }
  const detect = async (question: DetectionQuestion) => {
    const { status, document } = await under.ask<Detection>('POST', '/v1/detections', question)
    expect({ status, document }).toMatchObject({ status: 200 })
    return document
  }

  it('names the pipeline to use, and explains every one', async () => {
    await add('/apcera', 'ruby')
    await add('/apcera', 'nodejs')
    const { pipeline, namespace, candidates, wanted } = await detect({ names: ['Gemfile', 'package.json', 'app/'] })
    expect({ pipeline, namespace, wanted }).toEqual({ pipeline: 'stagpipe::/apcera::ruby', namespace: '/', wanted: [] })
    expect(candidates.map(({ name, fits }) => `${name} ${fits ? 'fits' : 'does not'}`)).toEqual([
      'bash does not',
      'java does not',
      'ruby fits',
      'python does not',
      'php does not',
      'go does not',
      'perl does not',
      'nodejs fits',
      'static-site does not',
      'docker does not',
      'compiler does not',
    ])
    expect(candidates[2]).toEqual({
      name: 'ruby',
      pipeline: 'stagpipe::/apcera::ruby',
      verdict: 'taken',
      fits: true,
      reason: 'Gemfile is there',
      found: ['Gemfile'],
      signs: ['Gemfile'],
    })
    expect(candidates[3]).not.toHaveProperty('pipeline')
  })

  it('looks in the namespace of the question and in /apcera, and in no namespace below or beside them', async () => {
    await add('/acme', 'nodejs')
    await add('/apcera', 'nodejs')
    await add('/acme/team', 'deno', 'package.json')
    await add('/other', 'deno', 'package.json')
    const names = ['package.json']
    expect((await detect({ names, namespace: '/acme' })).pipeline).toBe('stagpipe::/acme::nodejs')
    expect((await detect({ names, namespace: '/acme/team' })).pipeline).toBe('stagpipe::/acme/team::deno')
    expect((await detect({ names })).pipeline).toBe('stagpipe::/apcera::nodejs')
    const { candidates } = await detect({ names, namespace: '/acme' })
    expect(candidates.flatMap(({ pipeline }) => pipeline ?? [])).toEqual([
      'stagpipe::/acme::nodejs',
      'stagpipe::/apcera::nodejs',
    ])
  })

  it('says which content it wants to know, and decides with it', async () => {
    await add('/apcera', 'java')
    const question = { names: ['app.jar', 'Main.java'] }
    const first = await detect(question)
    expect(first).not.toHaveProperty('pipeline')
    expect(first.wanted).toEqual([
      { name: 'app.jar', member: 'META-INF/MANIFEST.MF', characters: 32_768 },
      { name: 'Main.java', characters: 32_768 },
    ])
    const text = 'Main-Class: Main\n'
    const excerpts = [
      { name: 'app.jar', member: 'META-INF/MANIFEST.MF', text },
      { name: 'Main.java', text: '' },
    ]
    expect(await detect({ ...question, excerpts })).toMatchObject({ pipeline: 'stagpipe::/apcera::java', wanted: [] })
  })

  it('takes the question of a very large directory', async () => {
    await add('/apcera', 'nodejs')
    const names = ['package.json', ...Array.from({ length: 99_000 }, (_one, index) => `${'photo'.repeat(12)}-${index}`)]
    expect((await detect({ names })).pipeline).toBe('stagpipe::/apcera::nodejs')
  })

  it.each([
    [{}, 'bad-document'],
    [{ names: [''] }, 'bad-document'],
    [{ names: ['x'], namespace: 'acme' }, 'bad-namespace'],
    [{ names: ['x'], excerpts: [{ name: 'x' }] }, 'bad-document'],
    [{ names: ['x'], excerpts: [{ name: 'x', text: 'x'.repeat(40_000) }] }, 'bad-document'],
    [{ names: ['x'], facts: [] }, 'bad-document'],
  ])('the question %j is refused', async (question, code) => {
    expect((await under.ask('POST', '/v1/detections', question)).document).toMatchObject({ status: 400, code })
  })
})
