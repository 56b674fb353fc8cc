import { describe, expect, it } from 'vitest'
import type { Layer } from '../../../isolation/layers/layer.js'
import { overlayOptions } from '../../../isolation/host/mounts.js'
import { scratchOf } from '../../../isolation/host/scratch.js'
import { stagerfsMount } from '../../../isolation/launch/stagerfs.js'

const layersOf = (count: number): Layer[] =>
  Array.from({ length: count }, (_, index) => ({
    relativePath: `${String(index).padStart(16, '0')}/tree`,
    asImageLayer: () => Promise.reject(new Error('not asked for')),
  }))
const mountOf = (layers: readonly Layer[]) =>
  stagerfsMount(
    'stagerd-0a1b2c3d',
    '/var/lib/stagerd/layers',
    layers,
    scratchOf('/var/lib/stagerd', '5a0f2f43-7a51-4c43-8f0b-1d3a5c7e9b11'),
  )

describe('the options of /stagerfs', () => {
  it('disable what a forged extended attribute in a layer could request', () => {
    const options = overlayOptions(mountOf(layersOf(1))).split(',')
    expect(options).toEqual(expect.arrayContaining(['nodev', 'redirect_dir=nofollow', 'metacopy=off', 'index=off']))
    expect(options).not.toContain('userxattr')
  })

  it('put the operating system at the bottom', () => {
    expect(mountOf(layersOf(3)).lowers.slice(0, 3)).toEqual([
      '0000000000000002/tree',
      '0000000000000001/tree',
      '0000000000000000/tree',
    ])
  })

  it('have a layer only once that several packages have, at its topmost place', () => {
    const [lowest, middle] = layersOf(2)
    expect(mountOf([lowest!, middle!, lowest!]).lowers.slice(0, -1)).toEqual([
      '0000000000000000/tree',
      '0000000000000001/tree',
    ])
  })

  it('fit one page with 128 layers', () => {
    expect(Buffer.byteLength(overlayOptions(mountOf(layersOf(128))))).toBeLessThan(4096)
  })

  it('are rejected if the kernel would truncate them', () => {
    expect(() => overlayOptions(mountOf(layersOf(200)))).toThrow(/too deep/)
  })

  it('have a lower directory when there are no layers', () => {
    expect(mountOf([]).lowers).toEqual(['/var/lib/stagerd/launches/5a0f2f43-7a51-4c43-8f0b-1d3a5c7e9b11/ground'])
  })
})
