import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { lockStateDirectory } from '../../../daemon/store/sqlite/state-lock.js'

describe('the lock of a state directory', () => {
  let directory: string
  let file: string
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'stagerd-lock-'))
    file = path.join(directory, 'lock.db')
  })
  afterEach(() => rm(directory, { recursive: true }))

  it('is held by one daemon until it is released', () => {
    const unlock = lockStateDirectory(file)
    expect(() => lockStateDirectory(file)).toThrow(
      `Another stagerd uses the state directory ${directory}: stop it, or give this one another with --state-dir.`,
    )
    unlock()
    lockStateDirectory(file)()
  })

  it('cannot be taken by other users of the host', async () => {
    const unlock = lockStateDirectory(file)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    unlock()
  })
})
