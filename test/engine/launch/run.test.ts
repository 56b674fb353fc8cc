import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { createServer, connect, type AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest'
import { BadInput } from '../../../base/errors.js'
import { runProcess } from '../../../base/run-process.js'
import type { RootTemplate } from '../../../isolation/isolation.js'
import { planOf, Recorder, type WholePlan } from '../../contract/isolation-under-test.js'
import { tarball } from '../support/busybox-root.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

const CA = '/etc/ssl/stagerd-ca.pem'

describe('a run of a ready package', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation(new Map([[CA, 'PEM\n']]))
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(() => under.close())

  const run = async (shell: string, change: Partial<WholePlan> = {}, templates: readonly RootTemplate[] = []) => {
    const recorder = new Recorder()
    const plan: WholePlan = {
      ...planOf(under, { shell, fake: () => Promise.resolve() }),
      shims: false,
      stagerfs: undefined,
      ...change,
    }
    const { signal } = new AbortController()
    const container = await under.isolation.prepare(plan, recorder, signal)
    const release = () => container.release()
    try {
      return { recorder, running: await container.start(plan, Object.assign(recorder, { templates }), signal), release }
    } catch (error) {
      await release()
      throw error
    }
  }

  it('has its own closure as its root, without the files of a stager', async () => {
    const { running, release, recorder } = await run(
      'ls /; echo "url=$STAGER_URL"; echo "$GREETING"; ls /usr/local/sbin; cat "$SSL_CERT_FILE"',
      {
        environment: { GREETING: 'hello', SSL_CERT_FILE: CA },
      },
    )
    expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
    expect(recorder.stdout).not.toMatch(/stagerfs|mount/)
    expect(recorder.stdout).toContain('url=\nhello\n')
    // The node's own files are in every root, because variables of the node name them.
    expect(recorder.stdout).toContain('PEM\n')
    expect(await release()).toEqual({ failures: [] })
    expect(await under.traces()).toEqual([])
  })

  it('has variables of any name, also where the shell of the root drops them', async () => {
    // /proc shows the variables that the kernel gave to the program; the shell of a busybox may leave them out.
    const direct = await run("exec /bin/cat '/proc/self/environ'", {
      environment: { 'discovery.type': 'single-node', A: '1' },
    })
    expect(await direct.running.ended).toEqual({ kind: 'exited', exitCode: 0 })
    expect(direct.recorder.stdout.split('\0')).toEqual(expect.arrayContaining(['discovery.type=single-node', 'A=1']))
    await direct.release()

    const shell = await run('cat /proc/self/environ; exit 3', { environment: { 'discovery.type': 'single-node' } })
    expect(await shell.running.ended).toEqual({ kind: 'exited', exitCode: 3 })
    // The shell of the root is that of the host's busybox, which passes them on since some version.
    const { stdout } = await runProcess('busybox', ['sh', '-c', 'busybox env'], { env: { 'a.b': '1' } })
    if (/^a\.b=1$/m.test(stdout)) {
      expect(shell.recorder.stdout.split('\0')).toContain('discovery.type=single-node')
      expect(shell.recorder.stderr).toBe('')
    } else {
      expect(shell.recorder.stdout).not.toContain('discovery.type')
      expect(shell.recorder.stderr).toMatch(/^stagerd: .*add bash to this root, or use env\(1\)\n$/)
    }
    await shell.release()
  })

  it('reads the input of the client, byte for byte and to its end', async () => {
    const { running, release, recorder } = await run('cat; echo over', { input: true })
    const input = Buffer.from(Array.from({ length: 200_000 }, (_, index) => 32 + (index % 90)))
    const chunks = async function* () {
      yield input.subarray(0, 100_000)
      await Promise.resolve()
      yield input.subarray(100_000)
    }
    await running.input(chunks())
    expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
    expect(recorder.stdout.length).toBe(input.length + 'over\n'.length)
    expect(recorder.stdout === `${input.toString()}over\n`).toBe(true)
    expect(await release()).toEqual({ failures: [] })
  })

  it('that does not read its input ends as any other, and one without input has an empty one', async () => {
    const endless = async function* () {
      for (;;) {
        yield Buffer.alloc(100_000)
        await new Promise((resolve) => setImmediate(resolve))
      }
    }
    const deaf = await run('exit 3', { input: true })
    const sending = deaf.running.input(endless())
    expect(await deaf.running.ended).toEqual({ kind: 'exited', exitCode: 3 })
    expect(await deaf.release()).toEqual({ failures: [] })
    await sending

    const empty = await run('cat; echo over')
    expect(await empty.running.ended).toEqual({ kind: 'exited', exitCode: 0 })
    expect(empty.recorder.stdout).toBe('over\n')
    expect(await empty.release()).toEqual({ failures: [] })
  })

  describe('with templates', () => {
    const filling = (...paths: string[]): RootTemplate => ({
      paths,
      fillIn: (path, content) => Buffer.from(content.toString().replace('@', path)),
    })
    const rootWith = async (files: Readonly<Record<string, string>>, modes: Readonly<Record<string, number>> = {}) => [
      ...under.root,
      under.resources.add('app', await tarball(files, modes)),
    ]

    it('finds them filled in, with their owners and permissions, and the layer keeps them as they are', async () => {
      const files = { 'app/': '', 'app/a.conf': 'at @\n', linked: '-> app', 'app/b.conf': 'also @ and @\n' }
      const root = await rootWith(files, { 'app/a.conf': 0o640, 'app/b.conf': 0o644 })
      const templates = [
        filling('/app/a.conf'),
        filling('/none/b.conf', '/linked/b.conf'),
        filling('/linked/b.conf'),
        filling('/app/a.conf/c', '/app/a.conf'),
      ]
      const shell = 'cat /app/a.conf /app/b.conf; stat -c "%u %g %a" /app/a.conf /app/b.conf'
      const { running, release, recorder } = await run(shell, { root, user: 'root' }, templates)
      expect(await running.ended).toEqual({ kind: 'exited', exitCode: 0 })
      expect(recorder.stdout).toBe('at /app/a.conf\nalso /linked/b.conf and /linked/b.conf\n0 0 640\n0 0 644\n')
      expect(await release()).toEqual({ failures: [] })

      const again = await run('cat /app/a.conf', { root, user: 'root' })
      await again.running.ended
      expect(again.recorder.stdout).toBe('at @\n')
      await again.release()
      expect(await under.traces()).toEqual([])
    })

    it('finds those of the topmost package, and none that a package removes', async () => {
      const lower = await rootWith({ 'app/': '', 'app/a.conf': 'old @\n', 'app/b.conf': '@\n' })
      const upper = under.resources.add('upper', await tarball({ 'app/': '', 'app/a.conf': 'new @\n' }))
      const root = [...lower, { ...upper, removals: [{ kind: 'removed' as const, path: 'app/b.conf' }] }, under.root[0]]
      const { running, release, recorder } = await run('cat /app/a.conf', { root }, [filling('/app/a.conf')])
      await running.ended
      expect(recorder.stdout).toBe('new /app/a.conf\n')
      expect(await release()).toEqual({ failures: [] })
      await expect(run('true', { root }, [filling('/app/b.conf')])).rejects.toMatchObject({ code: 'no-template' })
      expect(await under.traces()).toEqual([])
    })

    it('may write to them within its disk limit, and cannot remove them', async () => {
      const root = await rootWith({ 'app/': '', 'app/a.conf': '@\n' })
      const shell = `chown 99:99 /app/a.conf && echo more >> /app/a.conf && cat /app/a.conf
        rm /app/a.conf || dd if=/dev/zero of=/app/a.conf bs=1M count=100; sleep 60`
      const { limits } = planOf(under, { shell, fake: () => Promise.resolve() })
      const limited = { root, user: 'root', limits: { ...limits, diskBytes: 8 * 1024 ** 2 } }
      const { running, release, recorder } = await run(shell, limited, [filling('/app/a.conf')])
      expect(await running.ended).toMatchObject({ kind: 'disk-full' })
      expect(recorder.stdout).toBe('/app/a.conf\nmore\n')
      expect(recorder.stderr).toContain('/app/a.conf')
      expect(await release()).toEqual({ failures: [] })
      expect(await under.traces()).toEqual([])
    })

    it('has them read from the packages and never from the host, wherever their links lead', async () => {
      const files = { 'app/': '', 'app/etc': '-> /etc', 'app/up': '-> ../../../../../../../etc' }
      const root = await rootWith({ ...files, 'etc/': '', 'etc/shop.conf': 'of the package @\n' })
      const read: string[] = []
      const reading = (path: string): RootTemplate => ({
        paths: [path],
        fillIn: (_, content) => {
          read.push(content.toString())
          return content
        },
      })
      for (const link of ['etc', 'up']) {
        const { release } = await run('true', { root }, [reading(`/app/${link}/shop.conf`)])
        await release()
        await expect(run('true', { root }, [reading(`/app/${link}/shadow`)])).rejects.toMatchObject({
          code: 'no-template',
        })
      }
      expect(read).toEqual(['of the package @\n', 'of the package @\n'])
      expect(await under.traces()).toEqual([])
    })

    it.each<[what: string, template: RootTemplate, error: object]>([
      ['that are not there', filling('/app/none', '/none/none'), { code: 'no-template' }],
      ['that are directories', filling('/app'), { code: 'no-template' }],
      ['that are links', filling('/app/link'), { code: 'no-template' }],
      ['that are links to a file of the host', filling('/app/shadow'), { code: 'no-template' }],
      ['of the kernel', filling('/proc/self/environ'), { code: 'no-template' }],
      ['that are too large', filling('/app/large'), { code: 'template-too-large' }],
      [
        'with a mistake',
        {
          paths: ['/app/a'],
          fillIn: () => {
            throw new BadInput('bad-template', 'A mistake.')
          },
        },
        { code: 'bad-template' },
      ],
    ])('does not start with templates %s, and leaves nothing', async (_what, template, error) => {
      const links = { 'app/link': '-> a', 'app/shadow': '-> /etc/shadow' }
      const files = { 'app/': '', 'app/a': '', ...links, 'app/large': '@'.repeat(1024 * 1024 + 1) }
      await expect(run('true', { root: await rootWith(files) }, [template])).rejects.toMatchObject(error)
      expect(await under.traces()).toEqual([])
    })
  })

  it('is reachable on its published ports, and has no egress', async () => {
    const service = createServer((socket) => socket.end('secret\n')).listen(0, '0.0.0.0')
    await once(service, 'listening')
    const port = (service.address() as AddressInfo).port
    try {
      const gateway = `$(ip route | sed -n 's/^default via \\([0-9.]*\\).*/\\1/p')`
      const knock = `nc -w 1 ${gateway} ${port} </dev/null && echo open || echo shut; nc -w 1 192.0.2.1 80 </dev/null && echo open || echo shut`
      const { running, release, recorder } = await run(`${knock}; while :; do echo served | nc -l -p 8080; done`, {
        publish: [{ containerPort: 8080, hostPort: 0 }],
      })
      const [published] = running.publishedPorts
      expect(published).toBeGreaterThan(0)
      await vi.waitFor(() => expect(recorder.stdout).toBe('shut\nshut\n'), 60_000)
      await vi.waitFor(async () => {
        const socket = connect(published!, '127.0.0.1')
        socket.end()
        expect(await text(socket)).toBe('served\n')
      }, 60_000)
      running.stop()
      expect(await running.ended).toEqual({ kind: 'stopped' })
      expect(await release()).toEqual({ failures: [] })
    } finally {
      service.close()
    }
  })

  it('reports a port that is in use', async () => {
    const service = createServer().listen(0, '127.0.0.1')
    await once(service, 'listening')
    const hostPort = (service.address() as AddressInfo).port
    await expect(run('true', { publish: [{ containerPort: 8080, hostPort }] })).rejects.toMatchObject({
      code: 'port-taken',
    })
    service.close()
    expect(await under.traces()).toEqual([])
  })

  it('must have a root and a UUID', async () => {
    await expect(run('true', { root: [] })).rejects.toMatchObject({ code: 'empty-root' })
    await expect(run('true', { id: `../${randomUUID()}` })).rejects.toMatchObject({ code: 'bad-launch-id' })
  })
})
