import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { extract } from 'tar-stream'
import { describe, expect, it } from 'vitest'
import { imageArchive } from '../../../isolation/engine/image-archive.js'
import { loadFailure } from '../../../isolation/engine/root-images.js'
import { makeShimLayer, shimFiles } from '../../../isolation/engine/shim-layer.js'
import type { ImageLayer } from '../../../isolation/layers/layer.js'

const layerOf = (content: string): ImageLayer => ({
  diffId: `sha256:${createHash('sha256').update(content).digest('hex')}`,
  tarLength: Buffer.byteLength(content),
  openTar: () => Promise.resolve(Readable.from([Buffer.from(content)])),
})
const image = (...layers: ImageLayer[]) => ({ reference: 'stagerd/root:abc', labels: { a: 'b' }, layers })

async function entriesOf(
  archive: NodeJS.ReadableStream,
): Promise<Map<string, { content: string; mode: number | undefined }>> {
  const entries = new Map<string, { content: string; mode: number | undefined }>()
  const reader = archive.pipe(extract())
  for await (const entry of reader)
    entries.set(entry.header.name, {
      content: (await buffer(Readable.from(entry))).toString(),
      mode: entry.header.mode,
    })
  return entries
}
const read = async (...args: Parameters<typeof imageArchive>) =>
  await entriesOf(imageArchive(...args) as unknown as NodeJS.ReadableStream)

describe('the archive of an image', () => {
  it('lists its layers lowest first, and contains them', async () => {
    const [low, high] = [layerOf('low'), layerOf('high')]
    const entries = await read(image(low, high), new Set())
    const [manifest] = JSON.parse(entries.get('manifest.json')!.content) as [
      { Config: string; RepoTags: string[]; Layers: string[] },
    ]
    expect(manifest.RepoTags).toEqual(['stagerd/root:abc'])
    expect(manifest.Layers.map((name) => entries.get(name)?.content)).toEqual(['low', 'high'])
    const config = JSON.parse(entries.get(manifest.Config)!.content) as Record<string, unknown>
    expect(config).toMatchObject({ os: 'linux', rootfs: { type: 'layers', diff_ids: [low.diffId, high.diffId] } })
  })

  it('omits layers that the Engine has, without opening them', async () => {
    const there: ImageLayer = { ...layerOf('there'), openTar: () => Promise.reject(new Error('opened')) }
    const entries = await read(image(there, layerOf('new')), new Set([there.diffId]))
    expect([...entries.values()].map(({ content }) => content)).toContain('new')
    expect(entries.size).toBe(3)
  })

  it('contains a layer once if the chain has it twice', async () => {
    const twice = layerOf('twice')
    expect((await read(image(twice, layerOf('between'), twice), new Set())).size).toBe(4)
  })

  it('fails with the error of a layer', async () => {
    const broken: ImageLayer = { ...layerOf('x'), openTar: () => Promise.reject(new Error('the blob is damaged')) }
    await expect(buffer(Readable.from(imageArchive(image(broken), new Set())))).rejects.toThrow('the blob is damaged')
  })
})

describe('the shim', () => {
  it('is reproducible, so that the Engine stores it once', async () => {
    expect((await makeShimLayer(shimFiles(new Map()))).diffId).toBe((await makeShimLayer(shimFiles(new Map()))).diffId)
  })

  it('contains the mount point /stagerfs, a mount program that always succeeds, and the files of the settings', async () => {
    const shim = await makeShimLayer(shimFiles(new Map([['/usr/local/share/ca.pem', 'PEM']])))
    const tar = await shim.openTar()
    const entries = await entriesOf(tar)
    expect([...entries.keys()]).toEqual([
      'stager-cache',
      'stager-secrets',
      'stagerfs',
      'usr',
      'usr/local',
      'usr/local/sbin',
      'usr/local/share',
      'usr/local/sbin/mount',
      'usr/local/share/ca.pem',
    ])
    expect(entries.get('usr/local/sbin/mount')?.mode).toBe(0o755)
    expect(entries.get('usr/local/share/ca.pem')).toEqual({ content: 'PEM', mode: 0o644 })
  })
})

describe('the response of the Engine to a load', () => {
  it('is a failure if one of its lines is an error', () => {
    expect(loadFailure('{"errorDetail":{"mess')).toBe('{"errorDetail":{"mess')
    expect(loadFailure('{"stream":"Loaded image: x"}\r\n')).toBeUndefined()
    expect(loadFailure('{"status":"…"}\r\n{"errorDetail":{"message":"bad"},"error":"bad"}\r\n')).toBe('bad')
  })

  it('is a failure if the store of containerd could not unpack it, which is a line of progress', () => {
    const loaded = '{"stream":"Loaded image: x:1\\n"}\r\n'
    const failed = '{"stream":"Error unpacking image x:1: apply layer error: open /y: file name too long\\n"}\r\n'
    expect(loadFailure(loaded + failed)).toMatch(/^Error unpacking image x:1: .*: file name too long$/)
  })
})
