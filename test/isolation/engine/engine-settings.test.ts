import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type Docker from 'dockerode'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EngineSettings } from '../../../isolation/engine/engine-settings.js'
import { guessMap } from '../../../isolation/engine/subordinate-ids.js'

/** An Engine that answers only this. */
function engineOf(info: { DockerRootDir: string; SecurityOptions?: readonly string[] | null }): Docker {
  return { info: () => Promise.resolve(info) } as unknown as Docker
}

describe('an Engine without a user namespace', () => {
  test.each([[undefined], [null], [['name=seccomp,profile=default', 'name=cgroupns']]])(
    'maps no owners, with the security options %j',
    async (SecurityOptions) => {
      const engine = engineOf({
        DockerRootDir: '/var/lib/docker',
        ...(SecurityOptions !== undefined && { SecurityOptions }),
      })
      const settings = new EngineSettings(engine)
      expect(await settings.owners()).toBeUndefined()
      expect(await settings.directory()).toBe('/var/lib/docker')
      settings.confirm(process.pid, undefined)
    },
  )

  test('is asked once, and again when its settings are forgotten', async () => {
    let starts = 1
    const engine = { info: () => Promise.resolve({ DockerRootDir: `/engine/${starts++}` }) } as unknown as Docker
    const settings = new EngineSettings(engine)
    await Promise.all([settings.owners(), settings.directory()])
    expect(await settings.directory()).toBe('/engine/1')
    settings.forget()
    expect(await settings.directory()).toBe('/engine/2')
  })

  test('is refused if it is rootless', async () => {
    const engine = engineOf({ DockerRootDir: '/home/me/docker', SecurityOptions: ['name=rootless'] })
    await expect(new EngineSettings(engine).owners()).rejects.toMatchObject({ code: 'engine-rootless' })
  })
})

describe('the map of an Engine is guessed', () => {
  let directory: string
  let file: string
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'stagerd-test-'))
    file = join(directory, 'subuid')
  })
  afterEach(() => rmSync(directory, { recursive: true }))

  test.each([
    {
      what: 'from the account whose range begins with the root of containers',
      text: '# accounts\nalice:100000:65536\ndockremap:165536:65536\n',
      map: '0 165536 65536\n',
    },
    {
      what: 'from all ranges of that account, one after the other',
      text: 'dockremap:165536:1000\nalice:100000:65536\ndockremap:900000:64536\n',
      map: '0 165536 1000\n1000 900000 64536\n',
    },
    {
      what: 'as one range of the usual length, where there is no such account',
      text: 'alice:165537:5\nbroken\n',
      map: '0 165536 65536\n',
    },
  ])('$what', async ({ text, map }) => {
    writeFileSync(file, text)
    expect((await guessMap(file, 165_536)).text).toBe(map)
  })

  test('as one range of the usual length, where there is no such file', async () => {
    expect((await guessMap(file, 7)).text).toBe('0 7 65536\n')
  })
})
