import { once } from 'node:events'
import { lstat, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { examineSocket, prepareSocketPath, restrictSocket } from '../../daemon/control-socket.js'
import { findGroup, nameOfGroup } from '../../daemon/host-groups.js'

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
    expect(await restrictSocket(socket, 'a-group-that-no-host-has')).toBe(false)
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

  it('that cannot be one is refused with its reason', async () => {
    const file = path.join(directory, 'file')
    await writeFile(file, '')
    await expect(prepareSocketPath(path.join(file, 'stagerd.sock'))).rejects.toMatchObject({
      code: 'bad-socket',
      message: `The control socket ${file}/stagerd.sock cannot be used, because a part of the path is not a directory: use another path with --socket.`,
    })
  })

  it('belongs to the group, by its name or its id, and doctor says so', async () => {
    await prepareSocketPath(socket)
    const server = await listen()
    // The only group that a user who is not root can give a file to.
    const gid = process.getgid?.() ?? 0
    const group = await nameOfGroup(gid)
    for (const name of [group, String(gid)]) {
      expect(await restrictSocket(socket, name)).toBe(true)
      expect((await lstat(socket)).gid).toBe(gid)
      expect(await examineSocket(socket, name)).toEqual({
        subject: 'control socket',
        verdict: 'good',
        message: `members of the group ${name} can use ${socket}`,
      })
    }
    server.close()
  })

  it('without its group, or not yet in it, is a finding with a remedy', async () => {
    await prepareSocketPath(socket)
    const server = await listen()
    expect(await examineSocket(socket, 'a-group-that-no-host-has')).toMatchObject({
      verdict: 'slow',
      message: expect.stringMatching(
        /^there is no group a-group-that-no-host-has on this host.*groupadd --system/,
      ) as string,
    })
    const groups = (await readFile('/etc/group', 'utf8')).split('\n').map((line) => line.split(':'))
    const [other = ''] = groups.find(([, , gid]) => gid !== undefined && Number(gid) !== process.getgid?.()) ?? []
    expect(await findGroup(other)).toBeDefined()
    expect(await examineSocket(socket, other)).toMatchObject({
      verdict: 'slow',
      message: expect.stringContaining(
        `because the group ${other} is newer than the socket: restart stagerd`,
      ) as string,
    })
    server.close()
    await once(server, 'close')
    expect(await examineSocket(socket, other)).toMatchObject({ verdict: 'bad' })
  })
})
