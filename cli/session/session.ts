import { assertNamespace, formatFqn, parseFqn, type FqnKind } from '../../base/fqn.js'
import { ControlApi } from '../api/control-api.js'
import { refOf } from '../api/paths.js'
import { Output } from '../display/output.js'
import type { Io } from '../terminal/io.js'
import { Interrupts } from './interrupts.js'
import { readSettings } from './settings.js'

/** Options of all commands. */
export interface GlobalOptions {
  readonly socket?: string
  readonly namespace?: string
  readonly json?: boolean
  readonly batch?: boolean
}

const DEFAULT_SOCKET = '/run/stagerd/stagerd.sock'

/** The resources of one command: output, API client and interrupts. The caller of `open` calls `close`. */
export class Session {
  private constructor(
    readonly io: Io,
    readonly output: Output,
    readonly api: ControlApi,
    /** The current namespace, in which local names are looked up. */
    readonly namespace: string,
    readonly batch: boolean,
    readonly interrupts: Interrupts,
  ) {}

  /** Throws `BadInput` for an invalid namespace or invalid settings. */
  static async open(io: Io, options: GlobalOptions): Promise<Session> {
    const namespace =
      options.namespace ?? nonEmpty(io.env['STAGERD_NAMESPACE']) ?? (await readSettings(io.env)).namespace ?? '/'
    assertNamespace(namespace)
    const socket = options.socket ?? nonEmpty(io.env['STAGERD_SOCKET']) ?? DEFAULT_SOCKET
    return new Session(
      io,
      new Output(io, options.json === true),
      new ControlApi(socket),
      namespace,
      options.batch === true,
      new Interrupts(io.onInterrupt),
    )
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

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
