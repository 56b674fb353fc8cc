import type { Logger } from 'pino'
import type { CleanupStack } from '../../base/cleanup-stack.js'
import { otlpSettings } from './otlp-settings.js'
import type { StagingTraces } from './staging-traces.js'

/**
 * Traces as the variables of the environment ask for; none without them, and none, with a warning, where they ask for what
 * stagerd cannot do: they often apply to many programs of a host.
 *
 * @param undo gets what sends the last spans
 */
export async function openTraces(
  env: Readonly<Record<string, string | undefined>>,
  { version, logger }: { readonly version: string; readonly logger: Logger },
  undo: CleanupStack,
): Promise<StagingTraces | undefined> {
  const settings = otlpSettings(env)
  switch (settings.kind) {
    case 'off':
      return undefined
    case 'refused':
      logger.warn(`No traces are sent: ${settings.reason}.`)
      return undefined
    case 'on': {
      // Loaded only where it is used.
      const { OtlpTraces } = await import('./otlp-traces.js')
      const traces = OtlpTraces.open(settings.protocol, version, logger)
      undo.defer('send the last traces', () => traces.close())
      return traces
    }
  }
}
