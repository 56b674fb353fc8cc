import { afterAll, beforeAll, expect, test } from 'vitest'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'
import type { FileOperation } from '../support/file-operations.js'
import { WorkingStager } from '../support/working-stager.js'
import { listTar } from '../support/list-tar.js'

const CA = '/usr/local/share/ca-certificates/ours.crt'
const SHIM = '/usr/local/sbin/mount'

let under: DockerIsolationUnderTest
let stager: WorkingStager
beforeAll(async () => {
  under = await dockerIsolation(new Map([[CA, 'PEM']]))
  stager = await WorkingStager.launch(under, [])
}, 60_000)
afterAll(async () => {
  try {
    await stager.close()
  } finally {
    await under.close()
  }
})

async function filesAfter(operations: readonly FileOperation[]): Promise<readonly string[]> {
  expect(await stager.perform(operations)).toEqual([])
  const { written } = await stager.snapshotOf(undefined, () => undefined)
  const names = listTar(written, '--gzip').split('\n')
  return names.filter((name) => name !== '' && !name.endsWith('/'))
}

const owned = (path: string): FileOperation => ['chown', path, 1, 1]

test('injected files are no changes, whoever owns them, until the stager changes them', async () => {
  expect(await filesAfter([CA, SHIM, '/usr/local', '/usr/local/sbin', '/etc/mtab'].map(owned))).toEqual([])
  expect(
    await filesAfter([
      ['overwrite', CA, 'MEP'],
      ['remove', '/etc/mtab'],
      ['symlink', '/etc/mtab', '/proc/self/mounts'],
    ]),
  ).toEqual(['etc/mtab', CA.slice(1)])
})
