import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { loadSeccompProfile } from '../../daemon/seccomp-profile.js'

let directory: string
beforeEach(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-seccomp-'))
})
afterEach(() => rm(directory, { recursive: true }))

async function load(content: string): Promise<string | undefined> {
  const file = path.join(directory, 'seccomp.json')
  await writeFile(file, content)
  return await loadSeccompProfile(file)
}

it('without a file, it is that of stagerd', async () => {
  expect(await loadSeccompProfile(undefined)).toBeUndefined()
})

it('a profile is given as it is', async () => {
  expect(await load('{\n "defaultAction": "SCMP_ACT_ERRNO",\n "syscalls": []\n}\n')).toBe(
    '{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[]}',
  )
})

it.each([
  ['{', /seccomp profile .*seccomp\.json cannot be read: /],
  // The Engine takes these for no profile at all.
  ['{}', /has no defaultAction: seccomp-profile must name a seccomp profile in the format of Docker/],
  ['null', /has no defaultAction/],
  ['{"defaultAction": ""}', /has no defaultAction/],
])('%s is refused at the start', async (content, message) => {
  await expect(load(content)).rejects.toMatchObject({
    code: 'bad-seccomp-profile',
    message: expect.stringMatching(message) as unknown,
  })
})

it('so is a file that is not there', async () => {
  await expect(loadSeccompProfile('/none/seccomp.json')).rejects.toMatchObject({ code: 'bad-seccomp-profile' })
})
