import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { CleanupStack } from '../../../base/cleanup-stack.js'
import type { Staging } from '../../../daemon/model/staging.js'
import { SqliteStore } from '../../../daemon/store/sqlite/store.js'
import { openTraces } from '../../../daemon/traces/open-traces.js'
import { otlpCollector, type OtlpCollector, type Span } from '../../support/otlp-collector.js'
import { ledgerSamples } from '../metrics/ledger-samples.js'

const attributesOf = ({ attributes }: Pick<Span, 'attributes'>) =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? value.intValue]))

const withoutDashes = (uuid: string) => uuid.replaceAll('-', '')

let target: OtlpCollector
let store: SqliteStore
let undo: CleanupStack
beforeEach(async () => {
  target = await otlpCollector()
  const directory = await mkdtemp(join(tmpdir(), 'stagerd-test-'))
  store = SqliteStore.open(join(directory, 'stagerd.db'))
  undo = new CleanupStack()
  onTestFinished(async () => {
    vi.unstubAllEnvs()
    await undo.run()
    target.close()
    store.close()
    await rm(directory, { recursive: true })
  })
})

/** The library reads the environment of the process. */
async function open(variables: Readonly<Record<string, string>> = {}) {
  const all = { OTEL_EXPORTER_OTLP_ENDPOINT: target.url, OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json', ...variables }
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value)
  const warnings: string[] = []
  const logger = pino(
    { level: 'warn' },
    { write: (line) => void warnings.push((JSON.parse(line) as { msg: string }).msg) },
  )
  const traces = await openTraces(process.env, { version: '1.2.3', logger }, undo)
  const ended: Staging[] = []
  const samples = ledgerSamples(store, (staging) => {
    ended.push(staging)
    traces?.ended(staging)
  })
  return { traces, warnings, ended, samples }
}

describe('the trace of a staging', () => {
  it('has its wait, its launches and their steps, and is found by its UUID', async () => {
    const { traces, ended, samples } = await open()
    await samples.succeed('stagpipe::/apcera::nodejs')
    const { uuid, launches } = ended[0]!
    const launch = launches[0]!.uuid
    // The last step comes after the verdict.
    traces!.step({ staging: uuid, launch, step: 'undo', milliseconds: 250 })
    await undo.run()

    const spans = target.spans()
    expect(new Set(spans.map(({ traceId }) => traceId))).toEqual(new Set([withoutDashes(uuid)]))
    const named = (name: string) => spans.find((one) => one.name === name)!
    expect(spans.map(({ name }) => name).sort()).toEqual(['launch', 'queued', 'staging', 'undo'])
    expect(named('staging').parentSpanId).toBeUndefined()
    expect(named('queued').parentSpanId).toBe(named('staging').spanId)
    expect(named('launch').parentSpanId).toBe(named('staging').spanId)
    expect(named('undo').parentSpanId).toBe(named('launch').spanId)
    expect(Number(BigInt(named('undo').endTimeUnixNano) - BigInt(named('undo').startTimeUnixNano)) / 1e6).toBe(250)
    expect(attributesOf(named('staging'))).toMatchObject({
      'stagerd.staging': uuid,
      'stagerd.pipeline': 'stagpipe::/apcera::nodejs',
      'stagerd.state': 'succeeded',
    })
    expect(attributesOf(named('launch'))).toMatchObject({ 'stagerd.stager': 'job::/acme::s', 'stagerd.launch': launch })
  })

  it('says why it failed, without the words of its programs', async () => {
    const { samples } = await open()
    await samples.fail('stagpipe::/acme::private', 'timeout')
    await undo.run()
    const root = target.spans().find(({ name }) => name === 'staging')!
    expect(root.status).toEqual({ code: 2, message: 'timeout' })
    expect(JSON.stringify(target.spans())).not.toContain('It failed.')
  })

  it('is one of the service stagerd, unless the environment names it', async () => {
    const resource = async (variables: Readonly<Record<string, string>>) => {
      const { samples } = await open(variables)
      await samples.cancelQueued('stagpipe::/acme::s')
      await undo.run()
      return attributesOf(target.requests.at(-1)!.body.resourceSpans[0]!.resource)
    }
    expect(await resource({})).toMatchObject({ 'service.name': 'stagerd', 'service.version': '1.2.3' })
    undo = new CleanupStack()
    const named = await resource({ OTEL_SERVICE_NAME: 'staging', OTEL_RESOURCE_ATTRIBUTES: 'deployment=blue' })
    expect(named).toMatchObject({ 'service.name': 'staging', deployment: 'blue' })
  })

  it('is left out as a whole by the sampler of the environment', async () => {
    const { traces, ended, samples } = await open({
      OTEL_TRACES_SAMPLER: 'traceidratio',
      OTEL_TRACES_SAMPLER_ARG: '0.5',
    })
    for (let count = 0; count < 24; count += 1) {
      await samples.succeed('stagpipe::/acme::s')
      const { uuid, launches } = ended.at(-1)!
      traces!.step({ staging: uuid, launch: launches[0]!.uuid, step: 'start', milliseconds: 1 })
    }
    await undo.run()
    const traced = new Set(target.spans().map(({ traceId }) => traceId))
    // That all or none of 24 are chosen happens once in eight million times.
    expect(traced.size).toBeGreaterThan(0)
    expect(traced.size).toBeLessThan(24)
    const namesIn = (trace: string) => target.spans().flatMap(({ traceId, name }) => (traceId === trace ? [name] : []))
    for (const trace of traced) expect(namesIn(trace).sort()).toEqual(['launch', 'queued', 'staging', 'start'])
  })

  it('is sent as protobuf unless the environment says otherwise, with its headers', async () => {
    const { samples } = await open({
      OTEL_EXPORTER_OTLP_PROTOCOL: '',
      OTEL_EXPORTER_OTLP_HEADERS: 'authorization=Bearer%20abc',
    })
    await samples.cancelQueued('stagpipe::/acme::s')
    await undo.run()
    expect(target.requests.map(({ url }) => url)).toEqual(['/v1/traces'])
    expect(target.requests[0]!.headers).toMatchObject({
      'content-type': 'application/x-protobuf',
      authorization: 'Bearer abc',
    })
  })
})

describe('no traces are sent', () => {
  it.each([
    ['without an endpoint', { OTEL_EXPORTER_OTLP_ENDPOINT: '' }],
    ['where they are switched off', { OTEL_TRACES_EXPORTER: 'none' }],
    ['where the library is switched off', { OTEL_SDK_DISABLED: 'true' }],
  ])('%s', async (_, variables) => {
    expect(await open(variables)).toMatchObject({ traces: undefined, warnings: [] })
  })

  it.each([
    [{ OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' }, 'OTEL_EXPORTER_OTLP_PROTOCOL is "grpc"'],
    [{ OTEL_TRACES_EXPORTER: 'zipkin' }, 'OTEL_TRACES_EXPORTER is "zipkin"'],
  ])('in a way that stagerd does not know, which is said: %o', async (variables, reason) => {
    const { traces, warnings } = await open(variables)
    expect(traces).toBeUndefined()
    expect(warnings).toEqual([expect.stringContaining(`No traces are sent: ${reason}`)])
  })

  it('where nobody takes them, which is said and holds up nothing', async () => {
    const { warnings, samples } = await open({
      OTEL_EXPORTER_OTLP_ENDPOINT: 'http://127.0.0.1:1',
      OTEL_EXPORTER_OTLP_TIMEOUT: '1000',
    })
    await samples.succeed('stagpipe::/acme::s')
    expect(await undo.run()).toEqual([])
    expect(warnings.join()).toContain('traces: ')
  })
})
