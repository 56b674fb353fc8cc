import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { runProcess } from '../../../base/run-process.js'
import { compileProgram } from '../compile-program.js'
import { until } from '../until.js'
import { CONTROL, IMAGE, MARKS, type Command } from './control-files.js'
import type { Fault, FaultReport } from './faults.js'
import { readRecording, type Recorded } from './recording.js'

/**
 * Serves a disk. It is unmounted at the end of the input, with what is mounted from it, so also when the process of the test
 * was killed. Then the server is ended: by itself it would go on while another mount namespace, which another test has begun
 * meanwhile, has a copy of the mount. A mount of FUSE without a server would stay, and give errors.
 */
const SERVE = `"$0" "$@" </dev/null &
server=$!
cat >/dev/null
losetup --noheadings --output NAME --associated "$3/${IMAGE}" 2>/dev/null | xargs -r umount --lazy
umount --lazy "$3" 2>/dev/null
kill "$server" 2>/dev/null
wait`

/**
 * A directory in which a test sees every change in its order, has any of them fail, or kills a process at it. It is a
 * FUSE file system, served by a process of its own, so it works for all that this process does, SQLite included.
 *
 * Its file `image` can be recorded: under a loop device, it is a disk whose writes and barriers are known.
 */
export class WatchedDisk {
  /** Where the files are. */
  readonly path: string
  readonly image: string
  readonly #directory: string
  readonly #server: ChildProcess
  readonly #marks: number

  private constructor(directory: string, server: ChildProcess) {
    this.#directory = directory
    this.#server = server
    this.path = path.join(directory, 'mount')
    this.image = path.join(this.path, IMAGE)
    this.#marks = openSync(path.join(this.path, MARKS), 'r+')
  }

  /** The caller closes it. Needs root. */
  static async open(): Promise<WatchedDisk> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-disk-'))
    const program = await compileProgram(
      fileURLToPath(new URL('disk-server.ts', import.meta.url)),
      path.join(directory, 'program'),
    )
    const [files, mount] = [path.join(directory, 'files'), path.join(directory, 'mount')]
    await mkdir(files)
    await mkdir(mount)
    const server = spawn('sh', ['-c', SERVE, process.execPath, program, files, mount], {
      stdio: ['pipe', 'inherit', 'inherit'],
    })
    await until('the disk is mounted', () => {
      if (server.exitCode !== null) throw new Error('the disk could not be mounted')
      return readFileSync('/proc/self/mountinfo', 'utf8').includes(` ${mount} `)
    })
    return new WatchedDisk(directory, server)
  }

  /** What happens next; undefined: nothing. Everything is counted from here on. */
  plan(fault?: Fault): void {
    this.#command({ fault: fault ?? null })
  }

  /** What has happened since `plan`. */
  get report(): FaultReport {
    return JSON.parse(readFileSync(path.join(this.path, CONTROL), 'utf8')) as FaultReport
  }

  /** Puts a text into the recording, behind everything that has been written before. */
  mark(text: string): void {
    writeSync(this.#marks, text)
  }

  /** Records what happens to the image until `recorded`. */
  record(): void {
    this.#command({ record: this.#recording })
  }

  async recorded(): Promise<readonly Recorded[]> {
    this.#command({ record: null })
    return [...readRecording(await readFile(this.#recording))]
  }

  async close(): Promise<void> {
    closeSync(this.#marks)
    const ended = once(this.#server, 'exit')
    // A loop device lets go of its file some time after it is unmounted. What a failed test has left open must not keep the mount.
    const unmounted = until('the disk is unmounted', () =>
      runProcess('umount', [this.path]).then(
        () => true,
        () => false,
      ),
    )
    try {
      await unmounted
    } finally {
      this.#server.stdin!.end()
      await ended
      await rm(this.#directory, { recursive: true })
    }
  }

  get #recording(): string {
    return path.join(this.#directory, 'recording')
  }

  #command(command: Command): void {
    const file = openSync(path.join(this.path, CONTROL), 'r+')
    try {
      writeSync(file, JSON.stringify(command))
    } finally {
      closeSync(file)
    }
  }
}
