import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { LayerSource } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder } from '../../contract/isolation-under-test.js'
import { tarball } from '../support/busybox-root.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

describe('/stagerfs', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation(new Map([['/etc/ssl/extra.pem', 'PEM\n']]))
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(() => under.close())

  const outputOf = async (shell: string, stagerfs: readonly LayerSource[], user = 'root') => {
    const recorder = new Recorder()
    const plan = { ...planOf(under, { shell, fake: () => Promise.resolve() }), stagerfs, user }
    const { running, release } = await launch(under.isolation, plan, recorder)
    const ended = await running.ended
    expect(await release()).toEqual({ failures: [] })
    return { ended, lines: (recorder.stdout + recorder.stderr).trim().split('\n') }
  }
  const package_ = async (name: string, tree: Record<string, string>) => under.resources.add(name, await tarball(tree))

  it('shows the files of the packages; upper packages take precedence', async () => {
    const lower = await package_('lower', { both: 'lower\n', 'only-lower': 'lower\n' })
    const upper = await package_('upper', { both: 'upper\n' })
    const { lines } = await outputOf('cd /stagerfs; cat both only-lower', [lower, upper])
    expect(lines).toEqual(['upper', 'lower'])
  })

  it('is writable, and no other launch sees the changes', async () => {
    const shared = await package_('shared', { 'etc/': '', 'etc/conf': 'original\n' })
    const change = 'cd /stagerfs; echo changed > etc/conf; echo new > new; rm -r tmp; cat etc/conf new'
    expect((await outputOf(change, [shared])).lines).toEqual(['changed', 'new'])
    const { lines } = await outputOf('cd /stagerfs; cat etc/conf; test -e new || echo gone; test -d tmp && echo tmp', [
      shared,
    ])
    expect(lines).toEqual(['original', 'gone', 'tmp'])
  })

  it('supports the six commands by which stagers prepare a chroot, without privileges', async () => {
    const commands = [
      'mkdir -p /stagerfs/etc',
      'cp /etc/resolv.conf /stagerfs/etc/resolv.conf',
      'mkdir -p /stagerfs/proc',
      // By its path, because the shell of busybox prefers its own applets to programs in PATH.
      '/usr/local/sbin/mount --bind /proc /stagerfs/proc',
      'mkdir -p /stagerfs/dev',
      '/usr/local/sbin/mount --rbind /dev /stagerfs/dev',
    ]
    const { ended, lines } = await outputOf(`set -e; ${commands.join('; ')}; echo prepared`, under.root)
    expect(lines).toEqual(['prepared'])
    expect(ended).toEqual({ kind: 'exited', exitCode: 0 })
  })

  it('is ready for chroot when the program starts, with /proc, /dev and name resolution', async () => {
    const inside =
      'cat /proc/self/comm; echo x > /dev/null && echo device; grep -c nameserver /etc/resolv.conf; grep -c localhost /etc/hosts; test -k /tmp && echo tmp'
    const { lines } = await outputOf(`chroot /stagerfs /bin/sh -c '${inside}'`, under.root)
    expect(lines).toEqual(['cat', 'device', '1', '1', 'tmp'])
  })

  it("keeps Docker's masks over /proc", async () => {
    const { lines } = await outputOf(
      'chroot /stagerfs /bin/sh -c "echo x > /proc/sys/kernel/hostname; wc -c < /proc/timer_list"; mount -t tmpfs x /tmp',
      under.root,
    )
    expect(lines).toContain('0')
    expect(lines.join()).toContain('Read-only file system')
    expect(lines.join()).toContain('mount: permission denied')
  })

  it('does not follow symbolic links of a package on the host', async () => {
    const hostile = await package_('hostile', { 'etc/': '', 'etc/resolv.conf': '-> /tmp/stagerd-hostile-target' })
    const { lines } = await outputOf('cat /stagerfs/etc/resolv.conf | head -n 1', [hostile])
    expect(lines).toEqual(['nameserver 127.0.0.11'])
    const unfit = await package_('unfit', { proc: '-> /etc' })
    await expect(outputOf('true', [unfit])).rejects.toMatchObject({ code: 'stagerfs-unfit' })
    expect(await under.traces()).toEqual([])
  })

  it('contains the files of the settings, like the root of the launch', async () => {
    const { lines } = await outputOf('cat /etc/ssl/extra.pem /stagerfs/etc/ssl/extra.pem', under.root, 'runner')
    expect(lines).toEqual(['PEM', 'PEM'])
  })

  it('supports a hundred packages', async () => {
    const packages = await Promise.all(
      Array.from({ length: 100 }, (_, index) => package_(`p${index}`, { [`file-${index}`]: `${index}\n` })),
    )
    const { lines } = await outputOf('ls /stagerfs | grep -c file-', packages)
    expect(lines).toEqual(['100'])
  })
})
