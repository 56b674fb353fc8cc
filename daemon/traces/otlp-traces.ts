import {
  diag,
  DiagLogLevel,
  ROOT_CONTEXT,
  SpanStatusCode,
  trace,
  TraceFlags,
  type Attributes,
  type Context,
  type Span,
  type Tracer,
} from '@opentelemetry/api'
import { OTLPTraceExporter as JsonExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { OTLPTraceExporter as ProtobufExporter } from '@opentelemetry/exporter-trace-otlp-proto'
import { defaultResource, detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BasicTracerProvider, BatchSpanProcessor, type IdGenerator } from '@opentelemetry/sdk-trace-base'
import type { Logger } from 'pino'
import type { Launch, Staging } from '../model/staging.js'
import type { OtlpProtocol } from './otlp-settings.js'
import type { EndedStep, StagingTraces } from './staging-traces.js'

/** How long the end of the daemon may wait for the last spans, in milliseconds. */
const LAST_SPANS_MS = 5_000

/**
 * Traces that are sent over OTLP. Spans are made when what they tell of is over, and their identifiers are those of the
 * staging and its launches: so nothing is carried through the launches, and whoever knows a staging finds its trace.
 *
 *   staging ─┬─ queued
 *            └─ launch ─── network, create, start … (its steps)
 *
 * The identifier of a trace is the UUID of the staging without dashes.
 */
export class OtlpTraces implements StagingTraces {
  readonly #ids = new GivenIds()
  readonly #provider: BasicTracerProvider
  readonly #tracer: Tracer

  private constructor(processor: BatchSpanProcessor, version: string) {
    const ours = resourceFromAttributes({ 'service.name': 'stagerd', 'service.version': version })
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES go over ours.
    const resource = defaultResource()
      .merge(ours)
      .merge(detectResources({ detectors: [envDetector] }))
    this.#provider = new BasicTracerProvider({ resource, idGenerator: this.#ids, spanProcessors: [processor] })
    this.#tracer = this.#provider.getTracer('stagerd', version)
  }

  /** The library reads the other variables of the environment, such as the endpoint and its headers. */
  static open(protocol: OtlpProtocol, version: string, logger: Logger): OtlpTraces {
    diag.setLogger(warningsTo(logger), DiagLogLevel.WARN)
    const exporter = protocol === 'http/json' ? new JsonExporter() : new ProtobufExporter()
    return new OtlpTraces(new BatchSpanProcessor(exporter), version)
  }

  step({ staging, launch, step, milliseconds }: EndedStep): void {
    const end = Date.now()
    const parent = this.#within(staging, spanIdOf(launch))
    if (!parent) return
    const span = this.#tracer.startSpan(step, { startTime: new Date(end - milliseconds) }, parent)
    span.end(new Date(end))
  }

  ended(staging: Staging): void {
    const { uuid, packageFqn, pipelineFqn, state, failure, reused, submittedAt, startedAt, endedAt } = staging
    const root = this.#start(staging.uuid, undefined, uuid, 'staging', submittedAt, {
      'stagerd.staging': uuid,
      'stagerd.package': packageFqn,
      'stagerd.pipeline': pipelineFqn,
      'stagerd.state': state,
      ...(failure ? { 'stagerd.cause': failure.cause } : {}),
      ...(reused === undefined ? {} : { 'stagerd.reused': reused }),
    })
    if (state === 'failed') root.setStatus({ code: SpanStatusCode.ERROR, message: failure?.cause ?? 'infrastructure' })
    const within = this.#within(uuid, spanIdOf(uuid))
    if (within) {
      this.#tracer.startSpan('queued', { startTime: new Date(submittedAt) }, within).end(dateOf(startedAt ?? endedAt))
      for (const launch of staging.launches) this.#launch(uuid, launch, within)
    }
    root.end(dateOf(endedAt))
  }

  /** Sends what has not been sent. Never rejects. */
  async close(): Promise<void> {
    const timeout = AbortSignal.timeout(LAST_SPANS_MS)
    const late = new Promise<void>((resolve) => timeout.addEventListener('abort', () => resolve(), { once: true }))
    await Promise.race([this.#provider.shutdown().catch(() => undefined), late])
  }

  #launch(staging: string, launch: Launch, parent: Context): void {
    const { uuid, stagerFqn, state, exitCode, startedAt, endedAt } = launch
    const span = this.#start(staging, parent, uuid, 'launch', startedAt, {
      'stagerd.launch': uuid,
      'stagerd.stager': stagerFqn,
      'stagerd.state': state,
      ...(exitCode === undefined ? {} : { 'stagerd.exit_code': exitCode }),
    })
    span.end(dateOf(endedAt))
  }

  /** @param uuid that of what the span tells of */
  #start(
    staging: string,
    parent: Context | undefined,
    uuid: string,
    name: string,
    startedAt: string,
    attributes: Attributes,
  ): Span {
    this.#ids.next = { traceId: traceIdOf(staging), spanId: spanIdOf(uuid) }
    try {
      return this.#tracer.startSpan(name, { startTime: dateOf(startedAt), attributes }, parent ?? ROOT_CONTEXT)
    } finally {
      this.#ids.next = undefined
    }
  }

  /**
   * The context of spans below `spanId`. Undefined if the sampler leaves the trace out: it decides by the identifier of the
   * trace, so a span that never ends, and so is not sent, tells.
   */
  #within(staging: string, spanId: string): Context | undefined {
    if (!this.#start(staging, undefined, staging, 'staging', new Date().toISOString(), {}).isRecording())
      return undefined
    const traceId = traceIdOf(staging)
    return trace.setSpanContext(ROOT_CONTEXT, { traceId, spanId, traceFlags: TraceFlags.SAMPLED })
  }
}

/** Random identifiers, except for the next span if one is given for it. */
class GivenIds implements IdGenerator {
  next: { readonly traceId: string; readonly spanId: string } | undefined

  readonly generateTraceId = () => this.next?.traceId ?? traceIdOf(crypto.randomUUID())
  readonly generateSpanId = () => this.next?.spanId ?? spanIdOf(crypto.randomUUID())
}

function traceIdOf(uuid: string): string {
  return uuid.replaceAll('-', '')
}

/** The first half, which is random but for the four bits of the version. */
function spanIdOf(uuid: string): string {
  return traceIdOf(uuid).slice(0, 16)
}

function dateOf(time: string | undefined): Date {
  return time === undefined ? new Date() : new Date(time)
}

/** The library tells there that spans could not be sent. Its texts may contain an address, but no header. */
function warningsTo(logger: Logger) {
  const warn = (message: string, ...details: unknown[]) =>
    logger.warn({ details: details.map(String) }, `traces: ${message}`)
  const ignore = () => undefined
  return { error: warn, warn, info: ignore, debug: ignore, verbose: ignore }
}
