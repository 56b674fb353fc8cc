import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import { getSystemErrorName } from 'node:util'
import { Fault, messageOf } from '../../base/errors.js'

/** Starting a process takes a few milliseconds. Copying fewer bytes than this takes less. */
const MIN_BYTES = 4 * 1024 * 1024
const PERL = '/usr/bin/perl'

/** Numbers of system calls, by `process.arch`. */
const SYSCALLS: Partial<Record<string, { readonly prctl: number; readonly sendfile: number }>> = {
  x64: { prctl: 157, sendfile: 40 },
  arm64: { prctl: 167, sendfile: 71 },
}

/**
 * The child dies with its parent (PR_SET_PDEATHSIG). The socket does not block, because the daemon shares it: on EAGAIN
 * (11) the child waits until the socket is writable. It sends at most 16 MiB a call, so that the offset of the file,
 * which shows the progress, moves often. It exits with the errno of the failed call, or with 254 if the file is short.
 */
const SCRIPT = `
my ($parent, $prctl, $sendfile, $left) = map { $_ + 0 } @ARGV;
$SIG{PIPE} = 'IGNORE';
syscall($prctl, 1, 9);
exit 3 if getppid() != $parent;
my $writable = '';
vec($writable, 3, 1) = 1;
while ($left > 0) {
  my $sent = syscall($sendfile, 3, 4, 0, $left < 1 << 24 ? $left : 1 << 24);
  if ($sent > 0) { $left -= $sent }
  elsif ($sent == 0) { exit 254 }
  elsif ($! == 11) { select(undef, my $wait = $writable, undef, undef) }
  elsif ($! != 4) { exit $! + 0 }
}`
const FILE_TOO_SHORT = 254
/** Errors of a write to a connection that the client has closed, before Node notices. */
const CLIENT_GONE: readonly string[] = ['EPIPE', 'ECONNRESET', 'ETIMEDOUT', 'ENOTCONN']

/** Whether a `FileSender` sends a body of this length faster than Node does, and this host supports it. */
export function isForFileSender(length: number): boolean {
  return length >= MIN_BYTES && process.arch in SYSCALLS && existsSync(PERL)
}

/**
 * Sends the body of one response from a file with sendfile(2), so that none of it passes through this process. Node has
 * no call for sendfile. A child process that inherits the connection and the file makes it: a perl script, because perl
 * can make any system call and is part of every Debian.
 *
 * LIFECYCLE
 * - The caller has set the headers, with a Content-Length, and has written nothing of the body. The caller owns the
 *   file: it is open, at offset 0, and is closed only after `run` has settled.
 * - The child starts when the kernel has accepted the headers. On a connection with pipelined requests, the responses
 *   before this one go first.
 * - While the child runs, only it writes to the socket. Node still reads from the socket, and queues responses to later
 *   requests, because this one has not ended.
 * - The child exits, the response ends without a further byte, and the connection is usable as after any response.
 *
 * INVARIANTS
 * - No child outlives the connection: it is killed as soon as the response is closed, whether by the client, by a limit
 *   on the rate, or by the end of the launch. Only then does the client see the end: the child shares the connection.
 *   (Node does not close a response that waits behind another: the owner of the connection must.)
 * - No child outlives the daemon: the kernel kills it.
 * - Nothing follows an incomplete body: whatever happens to the child, the connection is closed before the announced
 *   length is reached, and is not used again.
 * - The descriptors in the child are 3 and 4. libuv makes those below 3 blocking; O_NONBLOCK belongs to the open file
 *   description, so the socket would block in the daemon too.
 */
export class FileSender {
  readonly #socket: Socket
  /** Descriptor of the fdinfo file in procfs that shows the offset of the file, while the child runs. */
  #fdinfo: number | undefined

  constructor(
    readonly response: ServerResponse,
    readonly file: FileHandle,
    readonly length: number,
  ) {
    this.#socket = response.req.socket
  }

  /** How many bytes of the file the kernel has accepted; undefined unless the child runs. */
  get sent(): number | undefined {
    if (this.#fdinfo === undefined) return undefined
    // Both processes share the open file description, so the child moves the offset.
    const text = Buffer.alloc(64)
    try {
      readSync(this.#fdinfo, text, 0, text.length, 0)
    } catch {
      // A timer calls this: an exception would end the daemon.
      return undefined
    }
    return Number.parseInt(text.toString('latin1').slice('pos:'.length), 10)
  }

  /**
   * Resolves when the whole body is sent and the response has ended, or when the client has closed the connection.
   * Throws `Fault` (`send-failed`) after closing the connection.
   */
  async run(): Promise<void> {
    if (!(await this.#flushHeaders())) return
    const failure = await this.#runChild()
    const socket = this.#socket
    if (socket.destroyed) return
    if (failure === undefined) {
      this.response.end()
      return
    }
    socket.destroy()
    if (!CLIENT_GONE.includes(failure))
      throw new Fault('send-failed', `Stored data of ${this.length} bytes could not be sent whole (${failure}).`)
  }

  /** Resolves to false if the connection is closed first. */
  #flushHeaders(): Promise<boolean> {
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

  /** Resolves to the reason of a failure, if there is one. */
  async #runChild(): Promise<string | undefined> {
    const { response, file, length } = this
    const call = SYSCALLS[process.arch]
    const connection = descriptorOf(this.#socket)
    if (!call || connection === undefined) return 'ENOTSUP'
    const args = [process.pid, call.prctl, call.sendfile, length].map(String)
    let child: ChildProcess | undefined
    const kill = (): void => void child?.kill('SIGKILL')
    response.once('close', kill)
    try {
      this.#fdinfo = openSync(`/proc/self/fdinfo/${file.fd}`, 'r')
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
      if (this.#fdinfo !== undefined) closeSync(this.#fdinfo)
      this.#fdinfo = undefined
    }
  }
}

/** Not documented by Node. The documented way to share a socket with a child would stop Node from reading it. */
function descriptorOf(socket: Socket): number | undefined {
  const { _handle: handle } = socket as Socket & { readonly _handle?: { readonly fd?: number } | null }
  return handle?.fd !== undefined && handle.fd >= 0 ? handle.fd : undefined
}

function describe(exitCode: number | null, signal: NodeJS.Signals | null): string {
  if (exitCode === null) return `its process was ended by ${String(signal)}`
  return exitCode === FILE_TOO_SHORT ? 'its file is shorter than it was' : getSystemErrorName(-exitCode)
}
