import { posix } from 'node:path'
import { elfHeader, loaderRange, MACHINES, RUNNABLE_MACHINES } from './elf.js'
import type { RootTree } from './root-tree.js'
import { ENDED_BY_SECCOMP } from './seccomp-profile.js'
import { firstProgram, type FirstProgram } from './start-command.js'

/** Why a program cannot be executed, from the look of its root before it is started. */
export interface Obstacle {
  /** The end of a sentence about the program. */
  readonly reason: string
  /** With which of these the shell ends then. A program that did run can end with them too, but not with this obstacle. */
  readonly exitCodes: ReadonlySet<number>
}

export interface ProgramPlan {
  readonly command: string
  readonly workingDirectory: string
  readonly environment: Readonly<Record<string, string>>
  readonly user: string
}

/** The search path of a shell whose environment has none. */
const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

const UNKNOWN = Symbol('unknown')

/** As in the kernel: an interpreter can be a script with an interpreter. */
const MAX_INTERPRETERS = 4

const EXECUTE = 1
const READ = 4

/** Scripts in these are run by the name that follows: `python3 stager.py`. */
const SHELLS = /^(?:sh|bash|dash|ash|ksh|zsh)$/
const INTERPRETERS = /^(?:python[0-9.]*|ruby[0-9.]*|perl|php)$/

/** For programs of macOS and Windows. */
const FOREIGN_FORMATS: readonly (readonly [magic: RegExp, name: string])[] = [
  [/^(?:feedface|feedfacf|cefaedfe|cffaedfe|cafebabe)/, 'macOS'],
  [/^4d5a/, 'Windows'],
]

/** A shell ends with 127 for what it does not find, and with 126 for what it cannot execute. */
const NOT_FOUND = new Set([126, 127])
/** A shell that cannot execute a file may read it as a script, and end with 2 at the first line that it does not understand. */
const MISREAD = new Set([2, 126, 127])
/** The kernel executes a 32-bit program of arm64, but the filter of system calls ends it. */
const FOREIGN = new Set([...MISREAD, ENDED_BY_SECCOMP])
/** Of a container whose first process cannot be executed. */
const NO_INIT = new Set([1, 126, 127, ENDED_BY_SECCOMP, 255])

/**
 * Looks for what keeps the program of `plan`, or the shell of its root, from being executed. Undefined if there is nothing,
 * and where it cannot be told. Finds only what is certain: see `Obstacle.exitCodes`.
 *
 * @param isMade whether the Engine has made this directory, because the root lacks it
 * @param processor in the words of Node.js; `any` if the host runs programs for others too
 */
export async function whyNotRunnable(
  root: RootTree,
  plan: ProgramPlan,
  isMade: (directory: string) => Promise<boolean>,
  processor: string,
): Promise<Obstacle | undefined> {
  const look = new Look(root, plan, processor)
  const shell = await look.program('/bin/sh', '/')
  if (shell) return { reason: `the shell of its root cannot run, for ${shell.reason}`, exitCodes: NO_INIT }
  const first = firstProgram(plan.command, plan)
  const obstacle = first && (await look.at(first))
  if (!obstacle || !(await isMade(plan.workingDirectory))) return obstacle
  const { exitCodes, reason } = obstacle
  return { exitCodes, reason: `${reason}, and its root lacks the working directory ${show(plan.workingDirectory)}` }
}

class Look {
  constructor(
    private readonly root: RootTree,
    private readonly plan: ProgramPlan,
    private readonly processor: string,
  ) {}

  async at({ directory, words, environment }: FirstProgram): Promise<Obstacle | undefined> {
    const inside = await this.#directory(directory)
    if (inside) return inside
    const [name, ...rest] = words
    const path = name.includes('/') ? posix.resolve(directory, name) : await this.#search(name, directory, environment)
    if (path === UNKNOWN) return undefined
    if (path === undefined) return { reason: `no directory of PATH has a program ${show(name)}`, exitCodes: NOT_FOUND }
    return (
      (await this.program(path, directory, environment)) ?? (await this.#script(posix.basename(name), rest, directory))
    )
  }

  /** @param path absolute, in the container */
  async program(
    path: string,
    directory: string,
    environment: Readonly<Record<string, string>> = this.plan.environment,
    depth = 0,
  ): Promise<Obstacle | undefined> {
    const found = await this.root.find(path)
    switch (found.kind) {
      case 'unknown':
        return undefined
      case 'missing':
        return { reason: missing(path, found.path), exitCodes: NOT_FOUND }
      case 'barred':
        return { reason: this.#barred(found.path), exitCodes: NOT_FOUND }
      case 'there':
    }
    const { stats } = found
    if (stats.isDirectory()) return { reason: `${show(path)} is a directory`, exitCodes: NOT_FOUND }
    if (!stats.isFile()) return undefined
    if (!this.root.allows(stats, EXECUTE)) {
      const mode = (stats.mode & 0o7777).toString(8).padStart(4, '0')
      return {
        reason: `${show(path)} has the mode ${mode}, which does not let user ${show(this.plan.user)} execute it: set its exec bit with chmod +x before it is packed`,
        exitCodes: NOT_FOUND,
      }
    }
    if (depth === MAX_INTERPRETERS) return undefined
    const head = await this.root.read(found.path, 0, 4096)
    const foreign = FOREIGN_FORMATS.find(([magic]) => magic.test(head.toString('hex', 0, 4)))
    if (foreign) return { reason: `${show(path)} is a program for ${foreign[1]}, not for Linux`, exitCodes: MISREAD }
    if (head.toString('latin1', 0, 2) === '#!')
      return await this.#interpreter(path, head, directory, environment, depth)
    return (await this.#elf(path, found.path, head)) ?? (depth === 0 ? crlfScript(path, head) : undefined)
  }

  async #interpreter(
    path: string,
    head: Buffer,
    directory: string,
    environment: Readonly<Record<string, string>>,
    depth: number,
  ): Promise<Obstacle | undefined> {
    const [line = ''] = head.toString('latin1', 2, 256).split('\n')
    const [interpreter = '', ...args] = line.trim().split(/[ \t\r]+/)
    const crlf = line.endsWith('\r')
    const asWritten = crlf && args.length === 0 ? `${interpreter}\r` : interpreter
    const found = await this.root.find(posix.resolve(directory, asWritten))
    if (crlf && (args.length > 0 || found.kind === 'missing'))
      return {
        reason: `the first line of ${show(path)} ends in CR LF, so the interpreter ${show(`${args.at(-1) ?? interpreter}\r`)} is looked for: save the file with the line ends of Unix (LF)`,
        exitCodes: MISREAD,
      }
    if (found.kind === 'missing')
      return {
        reason: `the root has no ${show(found.path)}, the interpreter in the first line of ${show(path)}`,
        exitCodes: NOT_FOUND,
      }
    const [named] = args
    if (posix.basename(interpreter) === 'env' && named !== undefined && args.length === 1 && !/[-=/]/.test(named)) {
      const searched = await this.#search(named, directory, environment)
      if (searched === undefined)
        return {
          reason: `no directory of PATH has ${show(named)}, the interpreter in the first line of ${show(path)}`,
          exitCodes: NOT_FOUND,
        }
    }
    const obstacle = await this.program(posix.resolve(directory, asWritten), directory, environment, depth + 1)
    return obstacle && { ...obstacle, reason: `${obstacle.reason} (the interpreter of ${show(path)})` }
  }

  async #elf(path: string, real: string, head: Buffer): Promise<Obstacle | undefined> {
    const elf = elfHeader(head)
    const runnable = RUNNABLE_MACHINES[this.processor]
    if (!elf) return undefined
    if (runnable && !(elf.isLittleEndian && runnable.includes(elf.machine)))
      return {
        reason: `${show(path)} is a program for another processor (${MACHINES[elf.machine] ?? `ELF machine ${elf.machine}`}), and this host is ${MACHINES[runnable[0] ?? 0]}`,
        exitCodes: FOREIGN,
      }
    if (!elf.isLittleEndian) return undefined
    const { offset, size, count } = elf.programHeaders
    const range = loaderRange(elf, await this.root.read(real, offset, Math.min(size * count, 65_536)))
    if (!range || range.length > 4096) return undefined
    const loader = (await this.root.read(real, range.offset, range.length)).toString('latin1').replace(/\0.*$/s, '')
    if (!loader.startsWith('/') || (await this.root.find(loader)).kind !== 'missing') return undefined
    return {
      reason: `the root has no ${show(loader)}, the dynamic loader of ${show(path)}: build it for this operating system, or link it statically`,
      exitCodes: NOT_FOUND,
    }
  }

  /** A program that reads a script, such as `sh start.sh` or `python3 stager.py`. */
  async #script(
    interpreter: string,
    words: readonly (string | undefined)[],
    directory: string,
  ): Promise<Obstacle | undefined> {
    const isShell = SHELLS.test(interpreter)
    const [name] = isShell && /^-[eux]+$/.test(words[0] ?? '') ? words.slice(1) : words
    if (name === undefined || name.startsWith('-') || !(isShell || INTERPRETERS.test(interpreter))) return undefined
    const path = posix.resolve(directory, name)
    const found = await this.root.find(path)
    // A shell may look for a name without a slash in PATH too.
    if (found.kind === 'missing')
      return isShell && !name.includes('/')
        ? undefined
        : { reason: missing(path, found.path), exitCodes: new Set([1, 2, 126, 127]) }
    if (found.kind !== 'there' || !found.stats.isFile()) return undefined
    if (!this.root.allows(found.stats, READ))
      return {
        reason: `user ${show(this.plan.user)} may not read ${show(path)}`,
        exitCodes: new Set([1, 2, 126, 127]),
      }
    return isShell ? crlfScript(path, await this.root.read(found.path, 0, 4096)) : undefined
  }

  async #directory(path: string): Promise<Obstacle | undefined> {
    const found = await this.root.find(path)
    const exitCodes = new Set([1, 2, 126, 127])
    if (found.kind === 'missing') return { reason: `there is no directory ${show(path)} in its root`, exitCodes }
    if (found.kind === 'there' && !found.stats.isDirectory())
      return { reason: `${show(path)} is not a directory`, exitCodes }
    return undefined
  }

  /** As `execvp`: the first file that may be executed. Undefined if there is none. */
  async #search(
    name: string,
    directory: string,
    environment: Readonly<Record<string, string>>,
  ): Promise<string | typeof UNKNOWN | undefined> {
    // It executes its own commands without a file.
    if (await this.#shellIsBusybox()) return UNKNOWN
    let candidate: string | undefined
    for (const entry of (environment.PATH ?? DEFAULT_PATH).split(':')) {
      const path = posix.join(posix.resolve(directory, entry), name)
      const found = await this.root.find(path)
      if (found.kind === 'unknown' || found.kind === 'barred') return UNKNOWN
      if (found.kind === 'missing' || !found.stats.isFile()) continue
      if (this.root.allows(found.stats, EXECUTE)) return path
      candidate ??= path
    }
    return candidate
  }

  async #shellIsBusybox(): Promise<boolean> {
    const shell = await this.root.find('/bin/sh')
    const busybox = await this.root.find('/bin/busybox')
    if (shell.kind !== 'there') return true
    return (
      posix.basename(shell.path) === 'busybox' || (busybox.kind === 'there' && busybox.stats.ino === shell.stats.ino)
    )
  }

  #barred(directory: string): string {
    return `user ${show(this.plan.user)} may not enter ${show(directory)}`
  }
}

/** A shell reads the carriage return at the end of a line as a part of its last word. */
function crlfScript(path: string, head: Buffer): Obstacle | undefined {
  const lines = head.toString('latin1').split('\n').slice(0, -1)
  const isScript = lines.length > 1 && !head.includes(0) && lines.every((line) => line.endsWith('\r'))
  if (!isScript) return undefined
  return {
    reason: `the lines of ${show(path)} end in CR LF: save the file with the line ends of Unix (LF)`,
    exitCodes: MISREAD,
  }
}

/** @param absent what does not exist, to which `path` leads */
function missing(path: string, absent: string): string {
  return path === absent
    ? `there is no ${show(path)} in its root`
    : `there is no ${show(absent)} in its root, to which ${show(path)} leads`
}

/** Names are bytes of the stager: a carriage return or an escape must not reach a terminal. */
function show(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : JSON.stringify(text)
}
