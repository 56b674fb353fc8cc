import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { launch, planOf, Recorder } from '../../contract/isolation-under-test.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

const TOKEN = 's3cret-0123456789'
const secrets = new Map([['TOKEN', Buffer.from(TOKEN)]])

describe('secrets in a container', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(() => under.close())

  const begin = async (shell: string, change: object) => {
    const recorder = new Recorder()
    const plan = { ...planOf(under, { shell, fake: () => Promise.resolve() }), ...change }
    return { ...(await launch(under.isolation, plan, recorder)), recorder }
  }
  const linesOf = async (shell: string, change: object = { secrets }) => {
    const { running, release, recorder } = await begin(shell, change)
    await running.ended
    expect(await release()).toEqual({ failures: [] })
    return (recorder.stdout + recorder.stderr).trim().split('\n')
  }
  /** The archive, unpacked, of a snapshot of the whole root. */
  const snapshotOf = async (shell: string, change: object) => {
    const { running, release, recorder } = await begin(`${shell}; echo new >/new; echo ready; sleep 60`, change)
    await expect.poll(() => recorder.stdout, { timeout: 30_000 }).toBe('ready\n')
    const { written, removals } = await running.snapshot({}, (archive) => buffer(archive))
    await release()
    return { text: gunzipSync(written).toString('latin1'), removals }
  }

  it('are in memory, and can be neither executed nor changed by its user', async () => {
    const shell = `grep ' /stager-secrets ' /proc/self/mounts | cut -d' ' -f3,4
      cd /stager-secrets; (echo x >TOKEN) 2>/dev/null || echo 'not written'; (echo x >new) 2>/dev/null || echo 'not made'
      rm -f TOKEN 2>/dev/null || echo 'not removed'; cat TOKEN`
    const [mounted, ...lines] = await linesOf(shell)
    expect(mounted).toMatch(/^tmpfs rw,nosuid,nodev,noexec/)
    expect(lines).toEqual(['not written', 'not made', 'not removed', TOKEN])
  })

  it('are not for another user of the container', async () => {
    const shell = `echo 'other:x:1234:1234::/:/bin/sh' >>/etc/passwd
      su other -c 'id -u; cat /stager-secrets/TOKEN 2>/dev/null || echo no'; cat /stager-secrets/TOKEN`
    expect(await linesOf(shell, { secrets, user: 'root' })).toEqual(['1234', 'no', TOKEN])
  })

  it('are never in a snapshot, and neither is where they are', async () => {
    const { text } = await snapshotOf('chown -R 0:0 /stager-secrets', { secrets, user: 'root' })
    expect(text).toContain('new')
    expect(text).not.toContain(TOKEN)
    expect(text).not.toContain('stager-secrets')
  })

  it.each([
    ['has changed its owner', 'chown -R 0:0 /'],
    ['has put a file there', 'echo x >/stager-secrets/x'],
    ['has removed it', 'rmdir /stager-secrets'],
  ])('leave no directory in a snapshot of a launch without any that %s', async (_what, shell) => {
    const { text, removals } = await snapshotOf(shell, { user: 'root' })
    expect(text).toContain('new')
    expect(text).not.toContain('stager-secrets')
    expect(removals.map(({ path }) => path)).not.toContain('stager-secrets')
  })

  it('cannot be the directory of a snapshot', async () => {
    const { running, release, recorder } = await begin('echo ready; sleep 60', { secrets })
    await expect.poll(() => recorder.stdout, { timeout: 30_000 }).toBe('ready\n')
    await expect(
      running.snapshot({ directory: '/stager-secrets' }, (archive) => buffer(archive)),
    ).rejects.toMatchObject({
      code: 'bad-directory',
    })
    await release()
  })
})
