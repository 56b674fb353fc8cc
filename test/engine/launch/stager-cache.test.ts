import { randomUUID } from 'node:crypto'
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { gunzipSync } from 'node:zlib'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { CacheOwner, Limits } from '../../../isolation/launch-plan.js'
import { launch, planOf, Recorder } from '../../contract/isolation-under-test.js'
import { atTestEnd } from '../../support/at-test-end.js'
import { CACHE_QUOTAS, dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

describe('The cache of a stager', () => {
  let under: DockerIsolationUnderTest
  beforeAll(async () => {
    under = await dockerIsolation()
  })
  afterEach(() => under.expectNothingLeft())
  afterAll(() => under.close())

  const newCache = (): CacheOwner => ({ packageUuid: randomUUID(), stagerUuid: randomUUID() })
  const directoryOf = ({ packageUuid, stagerUuid }: CacheOwner) =>
    join(under.stateDirectory, 'caches', `${packageUuid}.${stagerUuid}`)

  const begin = async (cache: CacheOwner, shell: string, options: Options = {}) => {
    const recorder = new Recorder()
    const base = planOf(under, { shell, fake: () => Promise.resolve() }, options.limits)
    const launched = await launch(
      under.isolation,
      { ...base, cache, user: 'root', input: options.input ?? false },
      recorder,
    )
    return { ...launched, recorder }
  }
  interface Options {
    readonly input?: boolean
    readonly limits?: Partial<Limits>
    readonly at?: 'keep' | 'drop'
  }
  const outputOf = async (cache: CacheOwner, shell: string, options: Options = {}) => {
    const { running, release, recorder } = await begin(cache, shell, options)
    const ended = await running.ended
    expect(await release(options.at ?? 'keep')).toEqual({ failures: [] })
    return { ended, text: (recorder.stdout + recorder.stderr).trim() }
  }
  const textOf = async (cache: CacheOwner, shell: string) => (await outputOf(cache, shell)).text
  const LIST = 'cd /stager-cache && echo $(ls -A)'

  it('keeps changes and removals, through more launches than it has layers', async () => {
    const cache = newCache()
    for (let turn = 1; turn <= 9; turn++)
      await outputOf(cache, `cd /stager-cache; rm -f file-${turn - 2}; echo ${turn} >file-${turn}; echo ${turn} >last`)
    expect(await textOf(cache, `${LIST}; cat last`)).toBe('file-8 file-9 last\n9')
    const names = await readdir(directoryOf(cache))
    await under.isolation.sweep(new Set())
    expect((await readdir(directoryOf(cache))).length).toBeLessThan(names.length)
  })

  it('is shared by two launches at once, which neither wait for nor see each other; the last one is kept', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo base >/stager-cache/base')
    const shell = (name: string) => `cat /stager-cache/base; echo ${name} >/stager-cache/${name}; read line; ${LIST}`
    const one = await begin(cache, shell('one'), { input: true })
    const other = await begin(cache, shell('other'), { input: true })
    for (const { recorder } of [one, other]) await expect.poll(() => recorder.stdout).toBe('base\n')
    for (const { running } of [one, other]) {
      await running.input(someLine())
      await running.ended
    }
    expect(one.recorder.stdout).toBe('base\nbase one\n')
    expect(other.recorder.stdout).toBe('base\nbase other\n')
    await one.release('keep')
    await other.release('keep')
    expect(await textOf(cache, LIST)).toBe('base other')
  })

  it('counts against the disk limit', async () => {
    const { ended } = await outputOf(newCache(), `head -c ${40 * 2 ** 20} /dev/zero >/stager-cache/a; sleep 20`, {
      limits: { diskBytes: 16 * 2 ** 20 },
      at: 'drop',
    })
    expect(ended.kind).toBe('disk-full')
  })

  it('is emptied when it is over its quota, and begins again', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo small >/stager-cache/small')
    await outputOf(cache, `head -c ${CACHE_QUOTAS.bytesOfOne + 1} /dev/urandom >/stager-cache/large`)
    expect(under.warnings.at(-1)).toContain('over its quota')
    await outputOf(cache, `${LIST}; echo again >again`)
    expect(await textOf(cache, LIST)).toBe('again')
  })

  it('drops what is hidden when only that is over the quota', async () => {
    const cache = newCache()
    const size = Math.floor(CACHE_QUOTAS.bytesOfOne * 0.7)
    for (let turn = 0; turn < 3; turn++)
      await outputOf(cache, `head -c ${size} /dev/urandom >/stager-cache/large; echo ${turn} >/stager-cache/turn`)
    expect(await textOf(cache, `${LIST}; cat turn`)).toBe('large turn\n2')
  })

  it('is evicted by last use when all caches together are over their quota', async () => {
    await Promise.all((await under.isolation.stagerCaches()).map((one) => under.isolation.discard(one)))
    const caches = [newCache(), newCache(), newCache()] as const
    const fill = `head -c ${Math.floor(CACHE_QUOTAS.bytesOfAll * 0.4)} /dev/urandom >/stager-cache/large`
    await outputOf(caches[0], fill)
    await outputOf(caches[1], fill)
    await outputOf(caches[0], 'true')
    await outputOf(caches[2], fill)
    expect((await under.isolation.stagerCaches()).map(({ id }) => id.split('.')[0]).sort()).toEqual(
      [caches[0].packageUuid, caches[2].packageUuid].sort(),
    )
  })

  const DAMAGES: Readonly<Record<string, (directory: string) => Promise<void>>> = {
    'its list is cut short': (directory) => writeFile(join(directory, 'layers.json'), '{"owners":"","lay'),
    'its list is gone': (directory) => rm(join(directory, 'layers.json')),
    'its list names something else': (directory) =>
      writeFile(join(directory, 'layers.json'), '{"owners":"","layers":[{"name":"../../layers","bytes":1}]}'),
    'a layer is gone': async (directory) => {
      for (const name of await layersIn(directory)) await rm(join(directory, name), { recursive: true })
    },
    'a layer is a file': async (directory) => {
      for (const name of await layersIn(directory)) {
        await rm(join(directory, name), { recursive: true })
        await writeFile(join(directory, name), '')
      }
    },
    'the host went down before it was on the disk': async (directory) => {
      const [name = ''] = await layersIn(directory)
      const layers = [{ name, bytes: 1, boot: randomUUID() }]
      await writeFile(join(directory, 'layers.json'), JSON.stringify({ owners: '', layers }))
    },
  }

  /** Throws if there are none. */
  async function layersIn(directory: string): Promise<readonly string[]> {
    const names = (await readdir(directory)).filter((name) => name !== 'layers.json')
    if (names.length === 0) throw new Error('the cache has no layers')
    return names
  }

  it('is empty where it is damaged, and begins again', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo old >/stager-cache/old')
    for (const [what, damage] of Object.entries(DAMAGES)) {
      // There is something to be damaged: what the launch after the damage before has kept.
      await layersIn(directoryOf(cache))
      await damage(directoryOf(cache))
      expect(await textOf(cache, `${LIST}; echo new >new`), what).toBe('')
    }
    expect(await textOf(cache, LIST)).toBe('new')
  })

  it('is as it was where the daemon was killed when the new list was cut short, or the new layer was without it', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo old >/stager-cache/old')
    await writeFile(join(directoryOf(cache), 'new-layers.json'), '{"owners":"","lay')
    expect(await textOf(cache, `${LIST}; echo new >new`)).toBe('old')
    await mkdir(join(directoryOf(cache), '0123abcd'))
    await writeFile(join(directoryOf(cache), '0123abcd/cut'), '')
    expect(await textOf(cache, `${LIST}; echo newer >newer`)).toBe('new old')
    expect(await textOf(cache, LIST)).toBe('new newer old')
    await under.isolation.sweep(new Set())
    expect(await readdir(directoryOf(cache))).toHaveLength(4)
  })

  it('never leads a hostile stager to anything else of the node, and is removed whatever is in it', async () => {
    const cache = newCache()
    const outside = join(under.stateDirectory, 'outside')
    atTestEnd(() => rm(outside))
    await writeFile(outside, 'of the node')
    const deep = 'd'.repeat(200)
    const hostile = `cd /stager-cache
      for name in link layers.json new-layers.json; do ln -s ${outside} $name; done
      ln -s / root; ln -s ${under.stateDirectory} up
      mkfifo pipe; mknod disk b 8 0; mknod tty c 5 0; mknod whiteout c 0 0 2>/dev/null
      mkdir -- -rf '--help' "a
b"; echo x >-rf/x; mkdir closed; echo x >closed/x; chmod 0 closed
      cp /bin/busybox setuid; chmod 4755 setuid
      dd if=/dev/zero of=holes bs=1 count=1 seek=64G 2>/dev/null
      i=0; while [ $i -lt 30 ]; do mkdir ${deep}; cd -P ${deep} || break; i=$((i+1)); done; echo x >x; echo $i`
    expect(await textOf(cache, hostile)).toBe('30')
    // More launches than a cache has layers, so that what is there is to be copied: that path is too long.
    for (let turn = 1; turn <= 9; turn++) await outputOf(cache, `echo ${turn} >/stager-cache/turn`)
    expect(under.warnings).toContain('the cache of a stager cannot be copied, and was emptied')
    expect(await textOf(cache, 'cat /stager-cache/turn')).toBe('9')
    expect(await readFile(outside, 'utf8')).toBe('of the node')
    expect((await stat(outside)).nlink).toBe(1)
    const [found] = (await under.isolation.stagerCaches()).filter(
      ({ packageUuid }) => packageUuid === cache.packageUuid,
    )
    await under.isolation.discard(found!)
    expect(await textOf(cache, LIST)).toBe('')
    await under.isolation.sweep(new Set())
    await expect(stat(directoryOf(cache))).rejects.toThrow('ENOENT')
  })

  it('is still there after a crash of the daemon, without what was being written', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo whole >/stager-cache/whole')
    const cut = await begin(cache, 'echo cut >/stager-cache/cut; echo ready; sleep 60')
    const restarted = await under.restarted()
    await restarted.sweep(new Set())
    await cut.release()
    const names = await readdir(directoryOf(cache))
    expect(names).toHaveLength(2)
    expect(await textOf(cache, LIST)).toBe('whole')
  })

  it('is cleared at once, and a launch that has it goes on without keeping anything', async () => {
    const cache = newCache()
    await outputOf(cache, 'echo old >/stager-cache/old')
    const { running, release, recorder } = await begin(
      cache,
      'read line; cat /stager-cache/old; echo new >/stager-cache/new',
    )
    const [found] = (await under.isolation.stagerCaches()).filter(
      ({ packageUuid }) => packageUuid === cache.packageUuid,
    )
    expect(found).toMatchObject({ ...cache, kind: 'cache', inUse: true })
    await under.isolation.discard(found!)
    await running.input(someLine())
    await running.ended
    await release('keep')
    expect(recorder.stdout).toBe('old\n')
    expect(await textOf(cache, LIST)).toBe('')
  })

  it('is never in a snapshot', async () => {
    const recorder = new Recorder()
    const shell = 'echo kept >/stager-cache/file; chown -R 0:0 /stager-cache; echo new >/new; echo ready; sleep 60'
    const plan = { ...planOf(under, { shell, fake: () => Promise.resolve() }), cache: newCache(), user: 'root' }
    const { running, release } = await launch(under.isolation, plan, recorder)
    await expect.poll(() => recorder.stdout).toBe('ready\n')
    const { written } = await running.snapshot({}, (archive) => buffer(archive))
    await release()
    const text = gunzipSync(written).toString('latin1')
    expect(text).toContain('new')
    expect(text).not.toContain('stager-cache')
  })
})

async function* someLine(): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from('\n'))
}
