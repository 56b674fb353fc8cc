import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { tarOf, type TarMember } from '../support/tar-builder.js'
import { readTar } from './support/read-tar.js'
import { RealApi } from './support/real-api.js'

const APPLICATION: readonly TarMember[] = [
  { name: 'app/', type: '5', mode: 0o750 },
  { name: 'app/.hidden', data: 'h' },
  { name: 'app/run', data: '#!/bin/sh\necho "$GREETING from $PORT"\n', mode: 0o755, uid: 99, gid: 99 },
]
const STARTED = { START_COMMAND: './run', START_PATH: '/app', STAGER_ADDED: 'runtime.x', GREETING: "it's me" }

let real: RealApi
beforeAll(async () => {
  real = await RealApi.open()
})
afterAll(() => real.close())

let count = 0
async function addPackage(members: readonly TarMember[], environment: object, more: object = {}): Promise<string> {
  const name = `package-${(count += 1)}`
  const resource = await real.api.upload(gzipSync(tarOf(...members)))
  await real.addPackage('/', name, { resource, environment, ...more })
  return name
}

const inRoot = (file: string) => path.join(real.root, file)

async function refusal(name: string): Promise<string> {
  const { code, io } = await real.run(['package', 'droplet', name, '-f', 'refused.tgz'])
  expect(code).not.toBe(0)
  return io.err
}

test('a ready package becomes a droplet that starts where it is unpacked', async () => {
  const name = await addPackage(APPLICATION, STARTED)
  const { code, io } = await real.run(['package', 'droplet', name, '-f', 'droplet.tgz'])
  expect([code, io.out]).toEqual([0, expect.stringMatching(/^Wrote .* of package::\/::package-1 to droplet\.tgz\.\n$/)])
  const entries = await readTar(Readable.from([readFileSync(inRoot('droplet.tgz'))]))
  expect(entries.map(({ header }) => `${header.type} ${header.mode.toString(8)} ${header.uid} ${header.name}`)).toEqual(
    [
      'directory 755 99 logs',
      'directory 755 99 tmp',
      'file 500 99 startup',
      'file 500 99 stop',
      'directory 750 99 app',
      'file 644 0 app/.hidden',
      'file 755 99 app/run',
    ],
  )
  const cwd = mkdtempSync(path.join(tmpdir(), 'droplet-'))
  try {
    execFileSync('tar', ['-xzf', inRoot('droplet.tgz')], { cwd })
    execFileSync('./startup', { cwd, env: { PATH: process.env.PATH, VCAP_APP_PORT: '61001' } })
    expect(readFileSync(path.join(cwd, 'logs/stdout.log'), 'utf8')).toBe("it's me from 61001\n")
    expect(readFileSync(path.join(cwd, 'startup'), 'utf8')).not.toContain('STAGER_')
  } finally {
    rmSync(cwd, { recursive: true })
  }
})

test('the same package gives the same bytes, in a file and on standard output', async () => {
  const name = await addPackage(APPLICATION, STARTED)
  for (const file of ['one.tgz', 'two.tgz']) await real.run(['package', 'droplet', name, '-f', file])
  expect(readFileSync(inRoot('one.tgz'))).toEqual(readFileSync(inRoot('two.tgz')))
  const { code, io } = await real.run(['package', 'droplet', name, '-f', '-'])
  expect([code, io.err]).toEqual([0, ''])
  expect((await real.run(['package', 'droplet', name, '-f', '-', '--json'])).code).toBe(2)
})

test('what a droplet would lack is refused, and no file is written', async () => {
  const outside = await addPackage([...APPLICATION, { name: 'opt/server.conf', data: 'x' }], STARTED)
  expect(await refusal(outside)).toContain('"/opt/server.conf" is outside of "/app", where the application is')
  const linked = await addPackage([...APPLICATION, { name: 'bin', type: '2', linkName: 'usr/bin' }], STARTED)
  expect(await refusal(linked)).toContain('"/bin" is outside of "/app"')
  expect(await refusal(await addPackage(APPLICATION, {}))).toContain('has no START_COMMAND')
  expect(await refusal(await addPackage([{ name: 'app', data: 'x' }], STARTED))).toContain('is no directory')
  expect(await refusal(await addPackage(APPLICATION, { ...STARTED, 'a.b': 'c' }))).toContain('"a.b" cannot be in')
  const template = { path: 'app/run', left_delimiter: '{{', right_delimiter: '}}' }
  expect(await refusal(await addPackage(APPLICATION, STARTED, { templates: [template] }))).toContain('is a template')
  expect(await refusal(await addPackage(APPLICATION, STARTED, { state: 'uploaded' }))).toContain('is uploaded')
  expect(() => readFileSync(inRoot('refused.tgz'))).toThrow('ENOENT')
})

test('a package without START_PATH has its whole data as the application', async () => {
  const name = await addPackage(APPLICATION, { START_COMMAND: 'app/run' })
  await real.run(['package', 'droplet', name, '-f', 'whole.tgz'])
  const entries = await readTar(Readable.from([readFileSync(inRoot('whole.tgz'))]))
  expect(entries.map(({ header }) => header.name).slice(4)).toEqual([
    'app',
    'app/app',
    'app/app/.hidden',
    'app/app/run',
  ])
})
