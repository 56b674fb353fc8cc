import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readlink, realpath, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ForkServer } from '../../../isolation/host/fork-server.js'
import { childProcesses } from '../../support/child-processes.js'

let directory: string
const server = new ForkServer()

beforeAll(async () => {
  directory = await realpath(await mkdtemp(path.join(tmpdir(), 'stagerd-fork-')))
})
afterAll(() => rm(directory, { recursive: true }))

const sh = (script: string, ...more: string[]) => server.run({ argv: ['sh', '-c', script, 'sh', ...more], directory })

describe('a program of the fork server', () => {
  it('gets its arguments and its input as they are, and runs in its directory', async () => {
    const value = fc.string({ unit: 'binary', maxLength: 20 }).map((text) => text.replaceAll(/[\n\0]/g, "'$(exit)`\\"))
    await fc.assert(
      fc.asyncProperty(fc.array(value, { maxLength: 4 }), fc.array(value, { maxLength: 3 }), async (words, lines) => {
        const input = lines.map((line) => `${line}\n`).join('')
        await server.run({
          argv: ['sh', '-c', 'printf "%s\\n" "$@" >words; cat >input', 'sh', ...words],
          input,
          directory,
        })
        const wellFormed = (text: string) => Buffer.from(text).toString()
        expect(await readFile(path.join(directory, 'words'), 'utf8')).toBe(wellFormed(`${words.join('\n')}\n`))
        expect(await readFile(path.join(directory, 'input'), 'utf8')).toBe(wellFormed(input))
      }),
      { numRuns: 20 },
    )
  })

  it('that fails is told with its exit code and what it has said', async () => {
    await expect(sh('echo out; echo err >&2; exit 7')).rejects.toThrow('sh -c failed (exit code 7): out\nerr')
    await expect(server.run({ argv: ['no-such-program'] })).rejects.toThrow(/\(exit code 127\).*not found/)
    await expect(server.run({ argv: ['true'], directory: '/no-such-directory' })).rejects.toThrow(/no-such-directory/)
    await expect(server.run({ argv: ['true', 'a\nb'] })).rejects.toThrow('a line break')
    await expect(sh('kill -9 $$')).rejects.toThrow('exit code 137')
  })

  it('does not wait for the others', async () => {
    const slow = sh('until [ -e go ]; do sleep 0.01; done')
    await sh('true')
    await sh('>go')
    await slow
  })

  it('has no pipe of the server', async () => {
    await sh('ls -l /proc/self/fd >descriptors')
    const open = await readFile(path.join(directory, 'descriptors'), 'utf8')
    expect(open).toContain(' 0 -> /dev/null\n')
    const [shell] = childProcesses('sh')
    for (const pipe of [0, 1]) expect(open).not.toContain(await readlink(`/proc/${shell}/fd/${pipe}`))
  })

  it('tells of its end although the server was killed, and the next one gets a new server', async () => {
    await sh('true')
    const [shell] = childProcesses('sh')
    const running = sh('>runs; sleep 0.2')
    await expect.poll(() => existsSync(path.join(directory, 'runs'))).toBe(true)
    process.kill(shell!, 'SIGKILL')
    await running
    await sh('true')
    expect(childProcesses('sh')).not.toContain(shell)
  })

  it('that the server has not started when it is killed has failed', async () => {
    await sh('true')
    const [shell] = childProcesses('sh')
    process.kill(shell!, 'SIGSTOP')
    const lost = sh('true')
    process.kill(shell!, 'SIGKILL')
    await expect(lost).rejects.toThrow('has ended')
    await sh('true')
  })
})
