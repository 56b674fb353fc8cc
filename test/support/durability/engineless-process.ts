import { writeSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openEngineless } from './engineless-daemon.js'

/**
 * A daemon without an Engine as a process, which a test kills: node engineless-process.cjs STATE SOCKET [FLAGS], with
 * further settings in JSON, by their names in camel case.
 */
export async function main(): Promise<void> {
  const [stateDir = '', socket = '', flags = '{}'] = process.argv.slice(2)
  const more = JSON.parse(flags) as Readonly<Record<string, string>>
  const { daemon } = await openEngineless({ ...more, stateDir, socket })
  await daemon.start()
  writeSync(1, 'ready\n')
}

/** Runs what each start runs, for the code that is compiled ahead: a test starts it a hundred times. */
export async function warmUp(): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-warm-up-'))
  try {
    for (let start = 0; start < 2; start++) {
      const { daemon } = await openEngineless({
        stateDir: path.join(directory, 'state'),
        socket: path.join(directory, 'socket'),
      })
      await daemon.start()
      await daemon.stop()
    }
  } finally {
    await rm(directory, { recursive: true })
  }
}
