import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import { compileProgram } from '../compile-program.js'

/** The program of a daemon without an Engine, to be started and killed again and again. */
export class KilledDaemon {
  #child: ChildProcess | undefined
  #others = 0

  private constructor(
    private readonly program: string,
    readonly socket: string,
    /** What its end removes. */
    private readonly directory?: string,
  ) {}

  /** The caller closes it. */
  static async compile(): Promise<KilledDaemon> {
    const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-killed-'))
    const entry = fileURLToPath(new URL('engineless-process.ts', import.meta.url))
    const program = await compileProgram(entry, path.join(directory, 'program'), 'engineless-process.cjs')
    return new KilledDaemon(program, path.join(directory, 'socket'), directory)
  }

  /** Another one of the same program. It is closed before this one, which removes the program. */
  another(): KilledDaemon {
    return new KilledDaemon(this.program, `${this.socket}-${++this.#others}`)
  }

  /**
   * Its process may be killed at once.
   *
   * @param flags further settings, by their names in camel case
   * @returns its id
   */
  spawn(stateDir: string, flags: Readonly<Record<string, string>> = {}): number {
    this.#child = spawn(process.execPath, [this.program, stateDir, this.socket, JSON.stringify(flags)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    return this.#child.pid ?? 0
  }

  /** Resolves when it is ready, with false when it has been killed before. Throws if it has ended otherwise. */
  async ready(): Promise<boolean> {
    const child = this.#child!
    const ready = once(child.stdout!, 'data').then(() => true)
    const ended = once(child, 'exit').then(([code, signal]) => {
      if (signal !== 'SIGKILL') throw new Error(`the daemon ended with exit code ${String(code)}`)
      return false
    })
    return await Promise.race([ready, ended])
  }

  /** Resolves when it is gone. */
  async gone(): Promise<void> {
    const child = this.#child!
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  }

  async kill(): Promise<void> {
    this.#child?.kill('SIGKILL')
    if (this.#child) await this.gone()
  }

  async close(): Promise<void> {
    await this.kill()
    if (this.directory !== undefined) await rm(this.directory, { recursive: true })
  }
}
