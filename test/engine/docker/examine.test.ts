import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import Docker from 'dockerode'
import { StagerCaches } from '../../../isolation/caches/stager-caches.js'
import { DockerIsolation } from '../../../isolation/docker/docker-isolation.js'
import { connectEngine } from '../../../isolation/engine/connect.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { planOf } from '../../contract/isolation-under-test.js'
import { CACHE_QUOTAS, dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

describe('examining the host', () => {
  let under: DockerIsolationUnderTest
  beforeEach(async () => {
    under = await dockerIsolation()
  })
  afterEach(() => under.close())

  it('reports each requirement of stagings, and finds nothing bad on a host where the other tests pass', async () => {
    const findings = await under.isolation.examine()
    expect(findings.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining(['Docker Engine', 'storage driver', 'cgroups', 'firewall', 'compressor', 'overlays']),
    )
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([])
    const networks = findings.find(({ subject }) => subject === 'networks')?.message
    expect(networks).toMatch(
      new RegExp(`^${under.isolation.keptNetworks()} of at most 8 are kept for the next launches`),
    )
  })

  it('reports a rootless Engine, and makes nothing for a launch on it', async () => {
    const engine = connectEngine()
    const info = (await engine.info()) as object
    engine.info = () => Promise.resolve({ ...info, SecurityOptions: ['name=seccomp,profile=default', 'name=rootless'] })
    const rootless = await dockerIsolation(new Map(), { engine })
    try {
      const findings = await rootless.isolation.examine()
      const found = findings.filter(({ verdict }) => verdict === 'bad')
      expect(found).toMatchObject([{ subject: 'user namespace' }])
      expect(found[0]?.message).toContain('point DOCKER_HOST to an Engine that runs as root')
      const plan = planOf(rootless, { shell: 'true', fake: () => Promise.resolve() })
      const preparing = rootless.isolation.prepare(plan, {}, new AbortController().signal)
      await expect(preparing).rejects.toMatchObject({ code: 'engine-rootless' })
      expect(await rootless.traces()).toEqual([])
    } finally {
      await rootless.close()
    }
  })

  it('reports an Engine that is down, and continues', async () => {
    const { stateDirectory, resources, nodeId } = under
    const layers = await LayerDirectoryCache.open({ directory: `${stateDirectory}/layers`, resources })
    const owner = { nodeId, installDirectory: stateDirectory }
    const caches = new StagerCaches({
      directory: `${stateDirectory}/caches`,
      ...CACHE_QUOTAS,
      warn: () => undefined,
    })
    const engine = new Docker({ socketPath: `${stateDirectory}/no.sock` })
    const isolation = new DockerIsolation({ owner, stateDirectory, layers, caches }, engine)
    await expect(isolation.ping()).rejects.toMatchObject({ code: 'engine-down' })
    const findings = await isolation.examine()
    expect(findings.find(({ subject }) => subject === 'Docker Engine')?.verdict).toBe('bad')
    expect(findings.find(({ subject }) => subject === 'overlays')?.verdict).toBe('good')
    await expect(isolation.sweep(new Set())).rejects.toMatchObject({ code: 'engine-down' })
  })
})
