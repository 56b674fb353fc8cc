import { once } from 'node:events'
import { lstat, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { prepareSocketPath, restrictSocket } from '../../daemon/control-socket.js'

describe('the path of the control socket', () => {
  let directory: string
  let socket: string
  beforeEach(async () => {
    directory = await mkdtemp(path.join(tmpdir(), 'stagerd-socket-'))
    socket = path.join(directory, 'run', 'stagerd.sock')
  })
  afterEach(() => rm(directory, { recursive: true }))

  const listen = async () => {
    const server = createServer().listen(socket)
    await once(server, 'listening')
    return server
  }

  it('is created with its directory', async () => {
    await prepareSocketPath(socket)
    const server = await listen()
    await restrictSocket(socket, 'a-group-that-no-host-has')
    expect((await lstat(socket)).mode & 0o777).toBe(0o660)
    server.close()
  })

  it('is kept if a daemon answers on it', async () => {
    await prepareSocketPath(socket)
    const server = await listen()
    await expect(prepareSocketPath(socket)).rejects.toMatchObject({ code: 'socket-in-use' })
    server.close()
  })

  it('is removed only if it is a socket', async () => {
    const file = path.join(directory, 'precious')
    await writeFile(file, 'content')
    await expect(prepareSocketPath(file)).rejects.toMatchObject({ code: 'not-a-socket' })
    await expect(prepareSocketPath(directory)).rejects.toMatchObject({ code: 'not-a-socket' })
    expect(await readFile(file, 'utf8')).toBe('content')
  })
})
