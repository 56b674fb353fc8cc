import { assertNamespace, formatFqn, parseFqn, type FqnKind } from '../../base/fqn.js'
import { ControlApi } from '../api/control-api.js'
import { refOf } from '../api/paths.js'
import type { Output } from '../display/output.js'
import type { OwnedIo } from '../terminal/io.js'
import { chooseEndpoint, nonEmpty } from './choose-endpoint.js'
import { Interrupts } from './interrupts.js'
import { readSettings } from './settings.js'

/** Options of all commands. */
export interface GlobalOptions {
  readonly socket?: string
  readonly address?: string
  readonly ca?: string
  readonly context?: string
  readonly namespace?: string
  readonly json?: boolean
  readonly batch?: boolean
}

/** The resources of one command: output, API client and interrupts. The caller of `open` calls `close`. */
export class Session {
  private constructor(
    readonly io: OwnedIo,
    readonly output: Output,
    readonly api: ControlApi,
    /** The current namespace, in which local names are looked up. */
    readonly namespace: string,
    readonly batch: boolean,
    readonly interrupts: Interrupts,
  ) {}

  /**
   * Small files that every command needs are read at once. A turn through another thread takes longer, and the first one
   * starts four threads.
   *
   * Throws `BadInput` for an invalid namespace or invalid settings, `UsageError` for an endpoint that cannot exist.
   */
  static async open(output: Output, options: GlobalOptions): Promise<Session> {
    const { io } = output
    const { endpoints, context } = await chooseEndpoint(io, options)
    const namespace =
      options.namespace ??
      nonEmpty(io.env['STAGERD_NAMESPACE']) ??
      context?.namespace ??
      readSettings(io.env).namespace ??
      '/'
    assertNamespace(namespace)
    return new Session(
      io,
      output,
      new ControlApi(...endpoints),
      namespace,
      options.batch === true,
      new Interrupts(io.onInterrupt),
    )
  }

  /** The same session with another current namespace. The caller closes only the first one. */
  within(namespace: string): Session {
    const { io, output, api, batch, interrupts } = this
    return new Session(io, output, api, namespace, batch, interrupts)
  }

  /** Aborts on an interrupt of the user. */
  get signal(): AbortSignal {
    return this.interrupts.signal
  }

  /** Converts user input to a UUID or an FQN. Throws `BadInput`. */
  ref(text: string, kind: FqnKind): string {
    return refOf(text, kind, this.namespace)
  }

  /** Converts user input to the FQN of a new object. Throws `BadInput`. */
  newName(text: string, kind: FqnKind): { namespace: string; name: string; fqn: string } {
    const { namespace, name } = parseFqn(text, kind, this.namespace)
    return { namespace, name, fqn: formatFqn(kind, { namespace, name }) }
  }

  async close(): Promise<void> {
    this.interrupts.close()
    await this.api.close()
  }
}
