import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { Fault, messageOf } from '../../base/errors.js'

/** Below this many bytes a process costs more than it saves: a few milliseconds, as copying so much does. */
const WORTH_IT = 4 * 1024 * 1024
const PERL = '/usr/bin/perl'

/** Numbers of system calls, by `process.arch`. */
const CALLS: Partial<Record<string, { readonly prctl: number; readonly sendfile: number }>> = {
  x64: { prctl: 157, sendfile: 40 },
  arm64: { prctl: 167, sendfile: 71 },
}

/**
 * Dies with its parent (PR_SET_PDEATHSIG). The socket does not block, because it is the daemon's as well: EAGAIN (11)
 * means to wait until there is room. 16 MiB a call, so that the offset of the file, by which progress is seen, moves.
 * Exits with the errno of what failed, or with 254 when the file has ended too early.
 */
const SCRIPT = `
my ($parent, $prctl, $sendfile, $left) = map { $_ + 0 } @ARGV;
$SIG{PIPE} = 'IGNORE';
syscall($prctl, 1, 9);
exit 3 if getppid() != $parent;
my $room = '';
vec($room, 3, 1) = 1;
while ($left > 0) {
  my $sent = syscall($sendfile, 3, 4, 0, $left < 1 << 24 ? $left : 1 << 24);
  if ($sent > 0) { $left -= $sent }
  elsif ($sent == 0) { exit 254 }
  elsif ($! == 11) { select(undef, my $wait = $room, undef, undef) }
  elsif ($! != 4) { exit $! + 0 }
}`
const ENDED_EARLY = 254
/** What a write says of a connection that the other side has given up, before our side has noticed. */
const GONE: readonly string[] = ['EPIPE', 'ECONNRESET', 'ETIMEDOUT', 'ENOTCONN']

/** Whether a body of so many bytes is better sent by a `FileSender`, and this host can do it. */
export function isForFileSender(length: number): boolean {
  return length >= WORTH_IT && process.arch in CALLS && existsSync(PERL)
}

/**
 * The body of one response, sent by the kernel out of a file: nothing of it passes through this process. Node has no call
 * for that, so a child that inherits the connection and the file makes it, sendfile(2). perl can make any call; it is
 * there wherever Debian is.
 *
 * LIFECYCLE
 * - The headers, with a Content-Length, have been set by the caller, and nothing has been written. The file is the
 *   caller's: open, at offset 0, and closed only after `run` has settled.
 * - Headers first: the child begins when the kernel has them all. On a connection with pipelined requests this includes
 *   the responses before this one.
 * - Then the connection is the child's. Node goes on reading it, and holds back what it has to say to later requests,
 *   because this response has not ended. Nobody else may write to the socket.
 * - The child exits, the response ends without a further byte, and the connection goes on as after any other.
 *
 * INVARIANTS
 * - No child outlives the connection: as soon as the response is told that it is closed, by the client, by whoever watches
 *   the pace, by the end of the launch, the child is killed. Only then does the client see the end, for the child holds the
 *   connection too. (Node does not tell a response that waits behind another: the owner of the connection has to.)
 * - No child outlives the daemon: the kernel kills it.
 * - A body that is not whole is followed by nothing: whatever happens to the child, the connection is closed short of the
 *   announced length, and never used again.
 * - The descriptors are 3 and 4 in the child, because libuv makes those below block, and O_NONBLOCK belongs to the
 *   connection, not to the descriptor: it would block the daemon.
 */
export class FileSender {
  readonly #socket: Socket
  /** Of procfs, where the offset of the file can be read, while a child moves it. */
  #offset: number | undefined

  constructor(
    readonly response: ServerResponse,
    readonly file: FileHandle,
    readonly length: number,
  ) {
    this.#socket = response.req.socket
  }

  /** How many bytes of the file the kernel has taken; undefined while it is not yet, or no longer, on its way. */
  get sent(): number | undefined {
    if (this.#offset === undefined) return undefined
    // The offset is moved by the child: both have the same open file.
    const text = Buffer.alloc(64)
    try {
      readSync(this.#offset, text, 0, text.length, 0)
    } catch {
      // Asked by a timer: who cannot say how far it is has no right to end the daemon.
      return undefined
    }
    return Number.parseInt(text.toString('latin1').slice('pos:'.length), 10)
  }

  /**
   * Resolves when all is sent and the response has ended, or when the client has gone. Throws `Fault` (`send-failed`)
   * after it has closed the connection.
   */
  async run(): Promise<void> {
    if (!(await this.#headersAreOut())) return
    const failure = await this.#runChild()
    const socket = this.#socket
    if (socket.destroyed) return
    if (failure === undefined) {
      this.response.end()
      return
    }
    socket.destroy()
    if (!GONE.includes(failure))
      throw new Fault('send-failed', `Stored data of ${this.length} bytes could not be sent whole (${failure}).`)
  }

  /** False when the connection was closed first. */
  #headersAreOut(): Promise<boolean> {
    const { response } = this
    if (response.destroyed || this.#socket.destroyed) return Promise.resolve(false)
    return new Promise((resolve) => {
      const gone = (): void => resolve(false)
      response.once('close', gone)
      response.write('', () => {
        response.off('close', gone)
        resolve(!this.#socket.destroyed)
      })
    })
  }

  /** What went wrong, if anything did. */
  async #runChild(): Promise<string | undefined> {
    const { response, file, length } = this
    const call = CALLS[process.arch]
    const connection = descriptorOf(this.#socket)
    if (!call || connection === undefined) return 'ENOTSUP'
    const args = [process.pid, call.prctl, call.sendfile, length].map(String)
    let child: ChildProcess | undefined
    const kill = (): void => void child?.kill('SIGKILL')
    response.once('close', kill)
    try {
      this.#offset = openSync(`/proc/self/fdinfo/${file.fd}`, 'r')
      child = spawn(PERL, ['-e', SCRIPT, ...args], {
        stdio: ['ignore', 'ignore', 'ignore', connection, file.fd],
        cwd: '/',
        env: {},
      })
      const [exitCode, signal] = (await once(child, 'exit')) as [number | null, NodeJS.Signals | null]
      return exitCode === 0 ? undefined : describe(exitCode, signal)
    } catch (error) {
      return messageOf(error)
    } finally {
      response.off('close', kill)
      if (this.#offset !== undefined) closeSync(this.#offset)
      this.#offset = undefined
    }
  }
}

/** Node has it, and does not document it: the documented way to share a socket would stop our reading it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}

function describe(exitCode: number | null, signal: NodeJS.Signals | null): string {
  if (exitCode === null) return `its process was ended by ${String(signal)}`
  return exitCode === ENDED_EARLY ? 'its file is shorter than it was' : getSystemErrorName(-exitCode)
}
