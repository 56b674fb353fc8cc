import path from 'node:path'
import Docker from 'dockerode'
import { describe, expect, it } from 'vitest'
import { Holder } from '../../../base/leases.js'
import { BadInput } from '../../../base/errors.js'
import { Sweeper } from '../../../isolation/docker/sweeper.js'
import { askEngineForHints, askEngineForList } from '../../../isolation/engine/engine-lists.js'
import { LastUsedTimes } from '../../../isolation/engine/last-used-times.js'
import { RootImages } from '../../../isolation/engine/root-images.js'
import { AddressPool } from '../../../isolation/network/address-pool.js'
import { Bridges } from '../../../isolation/network/bridges.js'
import { engineThatAnswers, ok } from '../../support/engine-that-answers.js'

/** As Docker 28 says it with the image store of containerd, when an image is removed during the list. */
const GONE = { status: 404, body: { message: 'content digest sha256:1f2e: not found' } }
const BROKEN = { status: 500, body: { message: 'No such container: 4128' } }
const MISTAKEN = { status: 400, body: { message: 'invalid filter' } }

const owner = { nodeId: '00000000-0000-4000-8000-000000000000', installDirectory: '/opt/stagerd' }

const dead = '7d0f4f0e-6c4b-4f0a-9d3c-2b1f6a5e4d3c'
const labelsOf = (launch: string, node = owner.nodeId) => ({
  Labels: { 'io.stagerd.launch': launch, 'io.stagerd.node': node },
})
const sweeperOf = (engine: Docker, stateDirectory: string) =>
  new Sweeper({
    engine,
    owner,
    stateDirectory,
    firewall: { removeWhere: () => Promise.resolve([]) },
    networks: { userOf: () => undefined, keeps: () => false, removeKept: () => Promise.resolve() },
    strayBridges: { remove: () => Promise.resolve([]) },
    caches: { tidy: () => Promise.resolve() },
  })

describe('a list of the Engine', () => {
  it.each([
    ['404', GONE],
    ['409', { ...GONE, status: 409 }],
    ['500', BROKEN],
  ])('is asked for again if an object of it, of anybody, is removed at that moment: %s', async (_, refusal) => {
    const { engine } = await engineThatAnswers({ 'GET /images/json': [refusal, refusal, ok([{ Id: 'x' }])] })
    expect(await askEngineForList('list its images', () => engine.listImages(), 1)).toEqual([{ Id: 'x' }])
  })

  it('that never comes is an error, and where it only saves work, it is empty', async () => {
    const { engine, asked } = await engineThatAnswers({ 'GET /images/json': [GONE] })
    const list = () => engine.listImages()
    await expect(askEngineForList('list its images', list, 1)).rejects.toMatchObject({
      code: 'engine-refused',
      message: 'The Docker Engine refused to list its images: content digest sha256:1f2e: not found',
    })
    expect(asked.length).toBeGreaterThan(3)
    expect(await askEngineForHints('list its images', list, 1)).toEqual([])
  })

  it('is not asked for again if the request is wrong, or no Engine answers', async () => {
    const { engine, asked, directory } = await engineThatAnswers({ 'GET /images/json': [MISTAKEN] })
    const list = () => engine.listImages()
    await expect(askEngineForList('list its images', list)).rejects.toMatchObject({ code: 'engine-refused' })
    expect(asked).toHaveLength(1)
    const nobody = new Docker({ socketPath: path.join(directory, 'no.sock') })
    const down = askEngineForHints('list its images', () => nobody.listImages())
    await expect(down).rejects.toMatchObject({ code: 'engine-down' })
  })
})

describe('an object of somebody else that is removed while stagerd looks', () => {
  const layer = {
    diffId: 'sha256:00',
    tarLength: 1024,
    openTar: () => Promise.reject(new BadInput('loaded', 'The layer is loaded.')),
  }

  it('does not fail a launch: its root image is loaded without what the others share', async () => {
    const { engine, directory } = await engineThatAnswers({
      'GET /images/json': [GONE, ok([{ Id: 'sha256:aa' }, { Id: 'sha256:bb' }, { Id: 'sha256:cc' }])],
      'GET /images/sha256:aa/json': [GONE],
      'GET /images/sha256:bb/json': [BROKEN],
      // An Engine that lacks the configuration of the image describes it without its layers.
      'GET /images/sha256:cc/json': [ok({ Id: 'sha256:cc' })],
      [`GET /images/${encodeURIComponent('stagerd/root:any')}/json`]: [GONE],
    })
    const images = new RootImages(engine, owner, new LastUsedTimes(path.join(directory, 'images')))
    const getImage = engine.getImage.bind(engine)
    engine.getImage = (name) => getImage(name.startsWith('stagerd/root:') ? 'stagerd/root:any' : name)
    await expect(images.ensure([layer], new Holder(), new AbortController().signal)).rejects.toMatchObject({
      code: 'loaded',
    })
  })

  it('does not fail a collection of garbage', async () => {
    const { engine, directory } = await engineThatAnswers({
      'GET /images/json': [
        GONE,
        ok([{ Id: 'sha256:aa', RepoTags: ['stagerd/root:ours'], Size: 7, ...labelsOf(dead) }]),
      ],
      'GET /containers/json': [BROKEN, ok([{ Id: '4128', ImageID: 'sha256:aa' }])],
    })
    const images = new RootImages(engine, owner, new LastUsedTimes(path.join(directory, 'images')))
    expect(await images.list()).toMatchObject([{ id: 'stagerd/root:ours', bytes: 7, inUse: true }])
  })

  it('does not keep a launch from a free network', async () => {
    const launch = '7d0f4f0e-6c4b-4f0a-9d3c-2b1f6a5e4d3c'
    const overlap = { status: 403, body: { message: 'Pool overlaps with other one on this address space' } }
    const { engine } = await engineThatAnswers({
      'POST /networks/create': [overlap, ok({ Id: 'n' })],
      'GET /networks': [BROKEN],
    })
    const bridges = new Bridges(engine, owner, new AddressPool('198.18.0.0/24'))
    expect((await bridges.create(launch, true)).subnet.cidr).toBe('198.18.0.16/28')
  })

  it('does not keep a sweep from removing what is dead', async () => {
    const { Labels } = labelsOf(dead)
    const { engine, directory } = await engineThatAnswers({
      'GET /containers/json': [BROKEN, ok([{ Id: '4128', Labels }])],
      'DELETE /containers/4128': [GONE],
      'GET /networks': [GONE, ok([{ Id: 'n1', Name: 'one', Labels }])],
      'DELETE /networks/n1': [GONE],
    })
    const sweeper = sweeperOf(engine, directory)
    const { removed, failures } = await sweeper.sweep(new Set())
    expect(removed).toEqual([`container 4128 of ${dead}`, 'network one'])
    expect(failures).toEqual([])
  })
})

describe('a list of which the Engine has not applied the filter', () => {
  const OTHER_NODE = '11111111-1111-4111-8111-111111111111'
  const foreign = [labelsOf(dead, OTHER_NODE), { Labels: {} }, { Labels: null }]

  it('has nothing of other nodes removed by a sweep', async () => {
    const { engine, directory, asked } = await engineThatAnswers({
      'GET /containers/json': [ok(foreign.map((labels, n) => ({ Id: `c${n}`, ...labels })))],
      'GET /networks': [ok(foreign.map((labels, n) => ({ Id: `n${n}`, Name: `n${n}`, ...labels })))],
    })
    expect(await sweeperOf(engine, directory).sweep(new Set())).toEqual({ removed: [], failures: [] })
    expect(asked).toEqual(['GET /containers/json', 'GET /networks'])
  })

  it('has no image of others collected as garbage', async () => {
    const { engine, directory } = await engineThatAnswers({
      'GET /images/json': [ok(foreign.map((labels, n) => ({ Id: `sha256:${n}`, RepoTags: ['debian:12'], ...labels })))],
      'GET /containers/json': [ok([])],
    })
    const images = new RootImages(engine, owner, new LastUsedTimes(path.join(directory, 'images')))
    expect(await images.list()).toEqual([])
  })
})
