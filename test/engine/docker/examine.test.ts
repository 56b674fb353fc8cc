import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import Docker from 'dockerode'
import { DockerIsolation } from '../../../isolation/docker/docker-isolation.js'
import { LayerDirectoryCache } from '../../../isolation/layers/layer-cache.js'
import { dockerIsolation, type DockerIsolationUnderTest } from '../support/docker-isolation.js'

describe('examining the host', () => {
  let under: DockerIsolationUnderTest
  beforeEach(async () => {
    under = await dockerIsolation()
  })
  afterEach(() => under.close())

  it('reports each requirement of stagings, and finds nothing bad on a host where the other tests pass', async () => {
    const findings = await under.isolation.examine()
    expect(findings.map(({ subject }) => subject)).toEqual(
      expect.arrayContaining(['Docker Engine', 'storage driver', 'cgroups', 'firewall', 'compressor', 'disk']),
    )
    expect(findings.filter(({ verdict }) => verdict === 'bad')).toEqual([])
  })

  it('reports an Engine that is down, and continues', async () => {
    const { stateDirectory, resources, nodeId } = under
    const layers = await LayerDirectoryCache.open({ directory: `${stateDirectory}/layers`, resources })
    const owner = { nodeId, installDirectory: stateDirectory }
    const engine = new Docker({ socketPath: `${stateDirectory}/no.sock` })
    const isolation = new DockerIsolation({ owner, stateDirectory, layers }, engine)
    await expect(isolation.ping()).rejects.toMatchObject({ code: 'engine-down' })
    const findings = await isolation.examine()
    expect(findings.find(({ subject }) => subject === 'Docker Engine')?.verdict).toBe('bad')
    expect(findings.find(({ subject }) => subject === 'disk')?.verdict).toBe('good')
    await expect(isolation.sweep(new Set())).rejects.toMatchObject({ code: 'engine-down' })
  })
})
