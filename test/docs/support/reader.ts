import { execa } from 'execa'
import type { DaemonInProcess } from '../../support/daemon-in-process.js'
import { isListed, isOfMachine } from './elsewhere.js'
import { follow, substitute, type Circumstances, type Ran } from './follow.js'

interface Place {
  /** Instead of that of the reader. */
  readonly daemon?: DaemonInProcess
  readonly cwd?: string
  /** For variables that only a process can be given. */
  readonly ownProcess?: true
}

export interface ReaderParts {
  readonly daemon: DaemonInProcess
  /** Where the commands run. */
  readonly cwd: string
  readonly env?: Readonly<Record<string, string>>
  /** The directory of a stagectl for commands that need a shell. */
  readonly bin: string
  /** What stands for something else on this host, such as an address; each with what takes its place. */
  readonly instead: Readonly<Record<string, string>>
}

/** Somebody who follows a document: runs its commands one after the other, as they are written there. */
export class Reader {
  constructor(private readonly parts: ReaderParts) {}

  /** Runs all commands that no other test runs. */
  follow(all: readonly string[], special: Readonly<Record<string, Circumstances & Place>> = {}): Promise<void> {
    const commands = all.filter((one) => !isListed(one) && !isOfMachine(one))
    return follow(commands, special, (command, place) => this.run(command, place))
  }

  async run(command: string, place: Place = {}): Promise<Ran> {
    const { daemon = this.parts.daemon, cwd = this.parts.cwd, ownProcess = false } = place
    const { env = {}, bin, instead } = this.parts
    const line = substitute(command, { ...instead, ...(await idFor(command, daemon)) })
    if (!ownProcess && /^stagectl [\w./:=,@ -]+$/.test(line)) {
      const { code, out, err } = await daemon.stagectl(line.split(/ +/).slice(1), { cwd, env })
      return { code, output: out + err }
    }
    const { exitCode, all } = await execa('bash', ['--norc', '-euo', 'pipefail', '-c', line], {
      cwd,
      all: true,
      input: '',
      reject: false,
      env: {
        STAGERD_SOCKET: daemon.socket,
        PATH: `${bin}:${process.env['PATH'] ?? ''}`,
        HOME: cwd,
        XDG_CONFIG_HOME: `${cwd}/config`,
        XDG_CACHE_HOME: `${cwd}/cache`,
        ...env,
      },
    })
    return { code: exitCode, output: all }
  }
}

/** `ID` is the staging that was submitted last. */
async function idFor(command: string, daemon: DaemonInProcess): Promise<Readonly<Record<string, string>>> {
  if (!/\bID\b/.test(command)) return {}
  const { out } = await daemon.stagectl(['staging', 'list', '--json'])
  const [newest] = JSON.parse(out) as { uuid: string }[]
  return { ID: newest?.uuid ?? '' }
}
