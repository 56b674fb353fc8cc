/** How traces are sent, from the standard variables of OpenTelemetry. */
export type OtlpSettings =
  | { readonly kind: 'off' }
  | { readonly kind: 'refused'; readonly reason: string }
  | { readonly kind: 'on'; readonly protocol: OtlpProtocol }

export type OtlpProtocol = 'http/protobuf' | 'http/json'

const PROTOCOLS: readonly string[] = ['http/protobuf', 'http/json'] satisfies OtlpProtocol[]

/**
 * Which variables there are, and what they mean:
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/. The library reads the others itself.
 */
export function otlpSettings(env: Readonly<Record<string, string | undefined>>): OtlpSettings {
  const value = (name: string) => env[name]?.trim() || undefined
  if (value('OTEL_SDK_DISABLED')?.toLowerCase() === 'true') return { kind: 'off' }
  const endpoint = value('OTEL_EXPORTER_OTLP_TRACES_ENDPOINT') ?? value('OTEL_EXPORTER_OTLP_ENDPOINT')
  const exporter = value('OTEL_TRACES_EXPORTER')
  if (exporter === 'none' || (exporter === undefined && endpoint === undefined)) return { kind: 'off' }
  if (exporter !== undefined && exporter !== 'otlp')
    return { kind: 'refused', reason: `OTEL_TRACES_EXPORTER is "${exporter}": stagerd knows otlp and none` }
  const name = value('OTEL_EXPORTER_OTLP_TRACES_PROTOCOL')
    ? 'OTEL_EXPORTER_OTLP_TRACES_PROTOCOL'
    : 'OTEL_EXPORTER_OTLP_PROTOCOL'
  const protocol = value(name) ?? 'http/protobuf'
  if (!PROTOCOLS.includes(protocol))
    return { kind: 'refused', reason: `${name} is "${protocol}": stagerd knows ${PROTOCOLS.join(' and ')}` }
  return { kind: 'on', protocol: protocol as OtlpProtocol }
}
