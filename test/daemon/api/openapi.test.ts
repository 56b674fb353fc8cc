import { expect, it, onTestFinished } from 'vitest'
import { ApiUnderTest } from './api-under-test.js'

interface OpenApi {
  readonly openapi: string
  readonly paths: Readonly<
    Record<
      string,
      Readonly<Record<string, { readonly operationId: string; readonly responses: Record<string, unknown> }>>
    >
  >
}

// The ids are names in the code of others: a client that is generated again must not lose any.
it('the API describes all of its routes in OpenAPI 3.1, with an operation id each, including refusals', async () => {
  const under = await ApiUnderTest.open()
  onTestFinished(() => under.close())
  const { document } = await under.ask<OpenApi>('GET', '/openapi.json')
  expect(document.openapi).toBe('3.1.0')
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => `${method.toUpperCase()} ${path} ${operationId}`),
  )
  expect(routes.sort()).toMatchInlineSnapshot(`
    [
      "DELETE /v1/nodes/{node} removeNode",
      "DELETE /v1/packages/{ref} deletePackage",
      "DELETE /v1/policies/{ref} deletePolicy",
      "DELETE /v1/stager-caches clearStagerCaches",
      "DELETE /v1/stagers/{ref} deleteStager",
      "DELETE /v1/stagers/{ref}/secrets/{name} removeStagerSecret",
      "DELETE /v1/stagingpipelines/{ref} deletePipeline",
      "DELETE /v1/tokens/{name} revokeToken",
      "DELETE /v1/webhooks/{uuid} deleteWebhook",
      "GET /healthz checkHealth",
      "GET /metrics readMetrics",
      "GET /readyz checkReadiness",
      "GET /v1/bootstraps listBootstraps",
      "GET /v1/bootstraps/{uuid} showBootstrap",
      "GET /v1/bootstraps/{uuid}/log followBootstrapLog",
      "GET /v1/exchange exportSet",
      "GET /v1/node showNode",
      "GET /v1/node/doctor examineNode",
      "GET /v1/nodes listNodes",
      "GET /v1/nodes/{node} showFleetNode",
      "GET /v1/packages listPackages",
      "GET /v1/packages/{ref} showPackage",
      "GET /v1/packages/{ref}/data downloadPackage",
      "GET /v1/packages/{ref}/diff compareResults",
      "GET /v1/packages/{ref}/droplet downloadDroplet",
      "GET /v1/packages/{ref}/results listResults",
      "GET /v1/policies listPolicies",
      "GET /v1/policies/{ref} showPolicy",
      "GET /v1/policies/{ref}/versions listPolicyVersions",
      "GET /v1/resources/{sha256} showResource",
      "GET /v1/stager-caches listStagerCaches",
      "GET /v1/stagers listStagers",
      "GET /v1/stagers/{ref} showStager",
      "GET /v1/stagers/{ref}/secrets listStagerSecrets",
      "GET /v1/stagingpipelines listPipelines",
      "GET /v1/stagingpipelines/{ref} showPipeline",
      "GET /v1/stagings listStagings",
      "GET /v1/stagings/{uuid} showStaging",
      "GET /v1/stagings/{uuid}/log followStagingLog",
      "GET /v1/tokens listTokens",
      "GET /v1/webhooks listWebhooks",
      "PATCH /v1/packages/{ref} updatePackage",
      "PATCH /v1/stagers/{ref} updateStager",
      "PATCH /v1/stagingpipelines/{ref} updatePipeline",
      "POST /v1/bootstraps startBootstrap",
      "POST /v1/bootstraps/{uuid}/cancel cancelBootstrap",
      "POST /v1/build-scripts parseBuildScript",
      "POST /v1/detections detectPipeline",
      "POST /v1/droplet-runs startDropletRun",
      "POST /v1/droplets uploadDroplet",
      "POST /v1/exchange importSet",
      "POST /v1/images/packages createPackageFromImage",
      "POST /v1/manifests parseManifest",
      "POST /v1/node/backup backUpNode",
      "POST /v1/node/drain drainNode",
      "POST /v1/node/gc collectGarbage",
      "POST /v1/node/restore restoreNode",
      "POST /v1/node/undrain undrainNode",
      "POST /v1/nodes/{node}/drain drainFleetNode",
      "POST /v1/nodes/{node}/undrain undrainFleetNode",
      "POST /v1/packages createPackage",
      "POST /v1/packages/resolution resolvePackages",
      "POST /v1/packages/{ref}/rollback rollBackPackage",
      "POST /v1/packages/{ref}/source assembleSource",
      "POST /v1/packages/{ref}/source/lacking findLackingSegments",
      "POST /v1/policies createPolicy",
      "POST /v1/resources uploadResource",
      "POST /v1/runs startRun",
      "POST /v1/runs/{uuid}/input sendRunInput",
      "POST /v1/runs/{uuid}/stop stopRun",
      "POST /v1/stagers createStager",
      "POST /v1/stagingpipelines createPipeline",
      "POST /v1/stagings createStaging",
      "POST /v1/stagings/{uuid}/cancel cancelStaging",
      "POST /v1/stagings/{uuid}/release releaseStaging",
      "POST /v1/stagings/{uuid}/retry retryStaging",
      "POST /v1/stagings/{uuid}/shells openShell",
      "POST /v1/stagings/{uuid}/shells/{shell}/input sendShellInput",
      "POST /v1/tokens createToken",
      "POST /v1/webhooks createWebhook",
      "POST /v1/webhooks/check checkReceivers",
      "POST /v1/webhooks/{uuid}/test testWebhook",
      "PUT /v1/packages/{ref}/content replacePackageContent",
      "PUT /v1/packages/{ref}/resource attachResource",
      "PUT /v1/policies/{ref} updatePolicy",
      "PUT /v1/stagers/{ref}/secrets/{name} setStagerSecret",
      "PUT /v1/stagings/{uuid}/shells/{shell}/size resizeShell",
    ]
  `)
  const ids = Object.values(document.paths).flatMap((methods) => Object.values(methods).map((one) => one.operationId))
  expect(ids.filter((id, index) => !/^[a-z][A-Za-z]+$/.test(id) || ids.indexOf(id) !== index)).toEqual([])
  expect(Object.keys(document.paths['/v1/packages']!.post!.responses)).toEqual(['201', '4XX', '5XX'])
})
