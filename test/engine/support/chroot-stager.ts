import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { FileOperations } from './file-operations.js'
import { stagerProgram } from './perl-root.js'

/**
 * test/fixtures/stagers/file-operations.pl as a process of this host, whose root is a directory. It is root there, so that
 * directory has to be mounted without devices.
 */
export class ChrootStager {
  private constructor(
    readonly operations: FileOperations,
    private readonly process: ChildProcess,
  ) {}

  /** @param root `/` for one that only describes trees */
  static async start(root: string): Promise<ChrootStager> {
    const operations = new FileOperations()
    const { url } = await operations.listen('127.0.0.1')
    const env = { ...process.env, STAGER_URL: url, FILE_OPERATIONS_ROOT: root }
    const program = spawn('perl', [stagerProgram('file-operations')], { env, stdio: ['ignore', 'inherit', 'pipe'] })
    program.stderr.on('data', (chunk: Buffer) => (operations.errors += chunk.toString()))
    await operations.connected(AbortSignal.timeout(60_000))
    return new ChrootStager(operations, program)
  }

  /** Resolves when the process has ended, so that its root can be unmounted. */
  async close(): Promise<void> {
    const exited = once(this.process, 'exit')
    this.operations.close()
    this.process.kill('SIGKILL')
    await exited
  }
}
