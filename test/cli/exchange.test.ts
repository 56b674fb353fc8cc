import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import { anyPackage, anyPipeline, aPackage, PACKAGE_ID } from './support/documents.js'
import { FakeProblem, takeResource } from './support/fake-api.js'
import type { CapturedIo } from './support/captured-io.js'
import { useHarness } from './support/harness.js'

const MIB = 1024 * 1024
const harness = useHarness()
beforeEach(() => {
  harness().api.on('GET /v1/packages/:ref', anyPackage).on('GET /v1/stagingpipelines/:ref', anyPipeline)
})

/** Simulates a full disk behind stdout. */
async function startWithBrokenOutput(io: CapturedIo, start: (io: CapturedIo) => Promise<number>) {
  io.stdout.write = () => {
    throw Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC', errno: -28, syscall: 'write' })
  }
  return { code: await start(io), err: io.err }
}

describe('export', () => {
  test('requests FQNs, and leaves no incomplete file', async () => {
    const { api, run, root } = harness()
    api.on('GET /v1/exchange', (_request, response) => void response.end('zip'))
    const one = await run('package', 'export', 'ruby', '--namespace', '/acme')
    expect(one.io.out).toBe('Wrote 3 B to ruby.cntmp.\n')
    expect(await readFile(path.join(root, 'ruby.cntmp'), 'utf8')).toBe('zip')
    await run('package', 'export', 'a', '/x::b', '-f', 'both.cntmp', '--with-dependencies')
    const exports = () => api.requests.filter(({ path }) => path === '/v1/exchange').map(({ query }) => query)
    expect(exports()[0]!.getAll('package')).toEqual(['package::/acme::ruby'])
    expect(exports()[1]!.getAll('package')).toEqual(['package::/::a', 'package::/x::b'])
    expect(exports()[1]!.get('with_dependencies')).toBe('true')
    expect((await run('pipeline', 'export', 'nodejs', '-f', '-')).io.out).toBe('zip')
    expect(exports()[2]!.getAll('pipeline')).toEqual(['stagpipe::/::nodejs'])

    api.on('GET /v1/exchange', (_request, response) => {
      response.writeHead(200, { 'content-length': 100 }).write('z')
      setImmediate(() => response.destroy())
    })
    expect((await run('package', 'export', 'broken')).code).toBe(3)
    expect((await readdir(root)).sort()).toEqual(['api.sock', 'both.cntmp', 'ruby.cntmp'])
  })

  test('refuses a directory as the file before it asks for the export, and leaves no partial file', async () => {
    const { api, run, root } = harness()
    await mkdir(path.join(root, 'ruby.cntmp'))
    const { code, io } = await run('package', 'export', 'ruby')
    expect([code, io.err]).toEqual([4, expect.stringContaining('is a directory')])
    expect(api.requested).not.toContain('GET /v1/exchange')
    expect((await readdir(root)).sort()).toEqual(['api.sock', 'ruby.cntmp'])
  })

  test('keeps the exported file when stdout is broken', async () => {
    const { api, io, start, root } = harness()
    api.on('GET /v1/exchange', (_request, response) => void response.end('zip'))
    const { code, err } = await startWithBrokenOutput(io(), (captured) => start(captured, 'package', 'export', 'ruby'))
    expect([code, err]).toEqual([4, expect.stringContaining('Standard output cannot be written (the disk is full)')])
    expect(await readFile(path.join(root, 'ruby.cntmp'), 'utf8')).toBe('zip')
  })

  test('reports a broken stdout as such, and not as an error of the daemon', async () => {
    const { api, io, start } = harness()
    api.on('GET /v1/exchange', (_request, response) => void response.end(Buffer.alloc(4 * MIB)))
    const { code, err } = await startWithBrokenOutput(io(), (captured) =>
      start(captured, 'package', 'export', 'ruby', '-f', '-'),
    )
    expect([code, err]).toEqual([4, expect.stringContaining('Standard output cannot be written (the disk is full)')])
  })
})

describe('import', () => {
  const report = {
    packages: [{ fqn: 'package::/::a', uuid: PACKAGE_ID, outcome: 'made' }],
    stagers: [{ fqn: 'job::/::s', uuid: PACKAGE_ID, outcome: 'replaced' }],
    pipelines: [{ fqn: 'stagpipe::/::p', uuid: PACKAGE_ID, outcome: 'skipped' }],
  }

  test('sends the files one by one, and prints the outcome for each object', async () => {
    const { api, run, root } = harness()
    api.on('POST /v1/exchange', () => report)
    for (const name of ['a.cntmp', 'b.cntmp']) await writeFile(path.join(root, name), name)
    const { code, io } = await run(
      'package',
      'import',
      'a.cntmp',
      'b.cntmp',
      '--skip-existing',
      '-o',
      '--namespace',
      '/n',
    )
    expect(code).toBe(0)
    expect(io.out.split('\n').slice(0, 3)).toEqual([
      'Imported package::/::a.',
      'Replaced job::/::s.',
      'Kept stagpipe::/::p.',
    ])
    expect(api.requests.map(({ body }) => body.toString())).toEqual(['a.cntmp', 'b.cntmp'])
    expect(Object.fromEntries(api.requests[0]!.query)).toEqual({ existing: 'skip', namespace: '/n' })
    const json = await run('package', 'import', 'a.cntmp', '--json')
    expect(JSON.parse(json.io.out)).toEqual([{ file: 'a.cntmp', ...report }])
  })

  test('sends the metadata for a file without a manifest', async () => {
    const { api, run, root } = harness()
    api.on('POST /v1/exchange', () => report)
    await writeFile(path.join(root, 'zsh.cntmp'), 'zip')
    const flags = ['--name', 'zsh-5', '--provides', 'package.zsh,package.zsh-5.0', '--depends-on', 'os.linux']
    expect((await run('package', 'import', 'zsh.cntmp', ...flags)).code).toBe(0)
    const { query } = api.requests[0]!
    expect(query.get('name')).toBe('package::/::zsh-5')
    expect(query.getAll('provides')).toEqual(['package.zsh', 'package.zsh-5.0'])
    expect(query.getAll('depends_on')).toEqual(['os.linux'])
  })

  test('rejects contradictory options and missing files', async () => {
    const { run } = harness()
    expect((await run('package', 'import', 'a', '--override', '--skip-existing')).code).toBe(2)
    expect((await run('package', 'import', 'a', 'b', '--name', 'c')).code).toBe(2)
    expect((await run('package', 'import', 'missing.cntmp')).code).toBe(4)
  })
})

describe('large data', () => {
  const data = Buffer.alloc(3 * MIB, 'x')
  const sha256 = createHash('sha256').update(data).digest('hex')

  test('that the daemon already has is not uploaded again', async () => {
    const { api, run, root } = harness()
    api
      .on('GET /v1/packages/:ref', () => {
        throw new FakeProblem(404, 'not-found', 'there is no package')
      })
      .on('POST /v1/packages', () => aPackage())
      .on('POST /v1/resources', takeResource)
      .on('GET /v1/resources/:digest', () => ({ sha256, length: data.length, compression: 'none' }))
    await writeFile(path.join(root, 'os.tar'), data)
    expect((await run('package', 'from-file', 'os.tar', 'app')).code).toBe(0)
    expect(api.requested).not.toContain('POST /v1/resources')
    // A blob of another length is damaged.
    api.on('GET /v1/resources/:digest', () => ({ sha256, length: 5, compression: 'none' }))
    expect((await run('package', 'from-file', 'os.tar', 'app')).code).toBe(0)
    expect(api.requested).toContain('POST /v1/resources')
  })

  test('above the quota is exit code 5', async () => {
    const { api, run, root } = harness()
    api
      .on('GET /v1/packages/:ref', () => {
        throw new FakeProblem(404, 'not-found', 'there is no package')
      })
      .on('POST /v1/resources', () => {
        throw new FakeProblem(403, 'package-quota', 'A package in /acme may have 1 MB of data, and this is more.')
      })
    await writeFile(path.join(root, 'os.tar'), data)
    const { code, io } = await run('package', 'from-file', 'os.tar', '/acme::app')
    expect(code).toBe(5)
    expect(io.err).toContain('may have 1 MB')
    expect(api.requests.find(({ method }) => method === 'POST')!.query.get('namespace')).toBe('/acme')
  })

  test('resumes a partial download', async () => {
    const { api, run, root } = harness()
    const resource = {
      uuid: PACKAGE_ID,
      digest: `sha256:${sha256}`,
      length: data.length,
      compression: 'none',
      removals: 0,
    }
    api
      .on('GET /v1/packages/:ref', () => aPackage({ resource }))
      .on('GET /v1/packages/:ref/data', (_request, response) => {
        response.writeHead(200, { 'content-length': data.length })
        response.write(data.subarray(0, 2 * MIB))
        // A part below 1 MiB is not kept.
        void vi
          .waitFor(async () => expect((await stat(await partFile())).size).toBeGreaterThanOrEqual(MIB), 10_000)
          .finally(() => response.destroy())
      })
    const partFile = async () => path.join(root, (await readdir(root)).find((name) => name.endsWith('.part')) ?? 'none')
    const broken = await run('package', 'download', 'app', '-f', 'x.tar')
    expect(broken.code).toBe(3)
    expect(broken.io.err).toMatch(/^Kept .* of x\.tar: the same command resumes the download/m)
    const part = await partFile()
    const { length } = await readFile(part)

    api.on('GET /v1/packages/:ref/data', ({ headers }, response) => {
      expect(headers).toMatchObject({ range: `bytes=${length}-`, 'if-range': `"sha256:${sha256}"` })
      response.writeHead(206, { 'content-length': data.length - length }).end(data.subarray(length))
    })
    expect((await run('package', 'download', 'app', '-f', 'x.tar')).code).toBe(0)
    expect((await readFile(path.join(root, 'x.tar'))).equals(data)).toBe(true)

    // The digest detects a part file with other data, which is then deleted.
    await writeFile(part, Buffer.alloc(2 * MIB, 'y'))
    api.on('GET /v1/packages/:ref/data', (_request, response) => {
      response.writeHead(206, { 'content-length': MIB }).end(data.subarray(2 * MIB))
    })
    expect((await run('package', 'download', 'app', '-f', 'y.tar')).code).toBe(1)
    expect((await readdir(root)).filter((name) => name.startsWith('.y.tar'))).toEqual([])
  })
  describe('with what an earlier attempt has left', () => {
    const resource = {
      uuid: PACKAGE_ID,
      digest: `sha256:${sha256}`,
      length: data.length,
      compression: 'none',
      removals: 0,
    }
    /** The name of the part file of `x.tar`. */
    const part = `.x.tar.${sha256.slice(0, 16)}.part`

    test('starts over if that is damaged', async () => {
      const { api, run, root } = harness()
      const ranges: unknown[] = []
      await writeFile(path.join(root, part), Buffer.alloc(2 * MIB, 'y'))
      api
        .on('GET /v1/packages/:ref', () => aPackage({ resource }))
        .on('GET /v1/packages/:ref/data', ({ headers: { range } }, response) => {
          ranges.push(range)
          const rest = data.subarray(range === undefined ? 0 : 2 * MIB)
          response.writeHead(range === undefined ? 200 : 206, { 'content-length': rest.length }).end(rest)
        })
      const { code, io } = await run('package', 'download', 'app', '-f', 'x.tar')
      expect(ranges).toEqual([`bytes=${2 * MIB}-`, undefined])
      expect([code, io.err]).toEqual([
        0,
        expect.stringMatching(/^What an earlier attempt has left of x\.tar is damaged/),
      ])
      expect((await readFile(path.join(root, 'x.tar'))).equals(data)).toBe(true)
      expect(await readdir(root)).not.toContain(part)
    })

    test('keeps nothing of it if the data is damaged on the disk of the daemon', async () => {
      const { api, run, root } = harness()
      await writeFile(path.join(root, part), data.subarray(0, 2 * MIB))
      api
        .on('GET /v1/packages/:ref', () => aPackage({ resource }))
        .on('GET /v1/packages/:ref/data', () => {
          throw new FakeProblem(500, 'blob-corrupt', 'The stored resource is damaged.')
        })
      const { io } = await run('package', 'download', 'app', '-f', 'x.tar')
      expect(io.err).toContain('The stored resource is damaged.')
      expect(io.err).not.toContain('Kept')
      expect(await readdir(root)).not.toContain(part)
    })
  })
})

describe('node gc', () => {
  test('lists what was removed, with the total of each kind', async () => {
    const { api, run } = harness()
    api.on('POST /v1/node/gc', () => ({
      dry_run: true,
      removed: [{ kind: 'blob', id: 'abc', bytes: 2048, used_at: '2024-05-01T10:00:00.000Z' }],
      totals: [
        { kind: 'blob', count: 1, bytes: 2048 },
        { kind: 'layer', count: 0, bytes: 0 },
      ],
    }))
    const { io } = await run('node', 'gc', '--dry-run', '--older-than', '30d', '--keep-bytes', '10GB')
    expect(io.out).toMatch(
      /KIND\s+ID\s+SIZE\s+LAST USE\nblob\s+abc\s+2 KB\s+2024-05-01\n\nWOULD GO\s+COUNT\s+SIZE\nblob\s+1\s+2 KB\n$/,
    )
    expect(api.sent('POST /v1/node/gc')).toEqual({
      dry_run: true,
      older_than_ms: 30 * 86_400_000,
      keep_bytes: 10 * 2 ** 30,
    })
    expect((await run('node', 'gc', '--older-than', 'soon')).code).toBe(2)
  })
})

describe('package update --name', () => {
  test('changes the local name, and rejects another namespace', async () => {
    const { api, run } = harness()
    api.on('PATCH /v1/packages/:ref', () => aPackage())
    const moved = await run('package', 'update', '/prod::a', '--name', '/test::a')
    expect(moved.code).toBe(2)
    expect(moved.io.err).toMatch(/A package cannot move to another namespace.*export the package and import it with -o/)
    expect((await run('package', 'update', '/prod::a', '--name', 'package::/prod::b')).code).toBe(0)
    expect(api.sent('PATCH /v1/packages/package::/prod::a')).toEqual({ name: 'b' })
  })
})
