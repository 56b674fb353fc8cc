import { assertNamespace, formatFqn, parseFqn, quote, type FqnKind } from '../../base/fqn.js'
import { UsageError } from '../options/usage-error.js'
import { ControlApi } from '../api/control-api.js'
import { refOf } from '../api/paths.js'
import type { Output } from '../display/output.js'
import type { OwnedIo } from '../terminal/io.js'
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
    readonly io: OwnedIo,
    readonly output: Output,
    readonly api: ControlApi,
    /** The current namespace, in which local names are looked up. */
    readonly namespace: string,
    readonly batch: boolean,
    readonly interrupts: Interrupts,
  ) {}

  /** Throws `BadInput` for an invalid namespace or invalid settings, `UsageError` for a socket that cannot exist. */
  static async open(output: Output, options: GlobalOptions): Promise<Session> {
    const { io } = output
    const namespace =
      options.namespace ?? nonEmpty(io.env['STAGERD_NAMESPACE']) ?? (await readSettings(io.env)).namespace ?? '/'
    assertNamespace(namespace)
    const socket = options.socket ?? nonEmpty(io.env['STAGERD_SOCKET']) ?? DEFAULT_SOCKET
    assertSocketPath(socket)
    return new Session(
      io,
      output,
      new ControlApi(socket),
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

/** The system calls take no longer path, and some libraries cut it off. */
const MAX_SOCKET_PATH_BYTES = 107

function assertSocketPath(socket: string): void {
  if (Buffer.byteLength(socket) > MAX_SOCKET_PATH_BYTES)
    throw new UsageError(
      `${quote(socket)} is too long for the path of a socket: give --socket or STAGERD_SOCKET one of at most ${MAX_SOCKET_PATH_BYTES} bytes.`,
    )
}

function nonEmpty(value: string | undefined): string | undefined {
  return value === '' ? undefined : value
}
