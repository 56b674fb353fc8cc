import { once } from 'node:events'
import { Conflict } from '../../base/errors.js'
import { linesOf } from '../../base/lines-of.js'
import type { StartHooks } from '../../isolation/isolation.js'
import type { KeptContainer, Shell, ShellHooks } from '../../isolation/kept-container.js'
import type { PreparePlan, ShellPlan, StartPlan, TerminalSize } from '../../isolation/launch-plan.js'

/** What a program of the fake has left behind. */
export interface FakeRemains {
  readonly plan: PreparePlan & StartPlan
  readonly hooks: StartHooks
  readonly files: ReadonlyMap<string, string>
  readonly usedBytes: number
}

/** A kept container of the fake. Its shell knows a few commands, one a line. */
export class FakeKept implements KeptContainer {
  readonly lost: Promise<Error>
  readonly usedBytes: number
  readonly shells = new Set<FakeShell>()
  #lose!: (reason: Error) => void
  #closed = false

  constructor(private readonly remains: FakeRemains) {
    this.usedBytes = remains.usedBytes
    this.lost = new Promise((resolve) => (this.#lose = resolve))
    remains.hooks.onFreeze?.()
  }

  openShell(plan: ShellPlan, hooks: ShellHooks): Promise<Shell> {
    if (this.#closed) return Promise.reject(new Conflict('container-ending', 'It is being released.'))
    if (this.shells.size === 0) this.remains.hooks.onThaw?.()
    const shell = new FakeShell(plan, hooks, this.remains)
    this.shells.add(shell)
    void shell.ended.then(() => {
      this.shells.delete(shell)
      if (this.shells.size === 0 && !this.#closed) this.remains.hooks.onFreeze?.()
    })
    return Promise.resolve(shell)
  }

  /** Simulates the loss of the Engine, or the end of the first process. */
  lose(reason: Error): void {
    this.#lose(reason)
  }

  close(): void {
    this.#closed = true
    for (const shell of this.shells) shell.end(undefined)
  }
}

class FakeShell implements Shell {
  readonly ended: Promise<number | undefined>
  readonly #hungUp = new AbortController()
  #printed: Promise<void> = Promise.resolve()
  #resolve!: (exitCode: number | undefined) => void
  #size: TerminalSize | undefined
  #status = 0

  constructor(
    private readonly plan: ShellPlan,
    private readonly hooks: ShellHooks,
    private readonly remains: FakeRemains,
  ) {
    this.ended = new Promise((resolve) => (this.#resolve = resolve))
    this.#size = plan.terminal
    if (plan.command) void this.#perform(plan.command.join(' ')).then(() => this.end(this.#status))
  }

  async input(chunks: AsyncIterable<Uint8Array>): Promise<void> {
    if (this.plan.command) return
    for await (const line of linesOf(chunks)) await this.#perform(line)
    if (!this.plan.terminal) this.end(this.#status)
  }

  resize(size: TerminalSize): Promise<void> {
    this.#size = size
    return Promise.resolve()
  }

  hangUp(): void {
    this.#hungUp.abort()
    this.end(129)
  }

  end(exitCode: number | undefined): void {
    const tell = () => this.#resolve(exitCode)
    void this.#printed.then(tell, tell)
  }

  async #perform(line: string): Promise<void> {
    const [name, word = ''] = line.trim().split(' ')
    const { files, plan } = this.remains
    switch (name) {
      case '':
        return
      case 'cat':
        await this.#print(files.get(word) ?? '')
        return
      case 'echo':
        await this.#print(`${word.startsWith('$') ? (plan.environment[word.slice(1)] ?? '') : word}\n`)
        return
      case 'id':
        await this.#print(`${plan.user}\n`)
        return
      case 'pwd':
        await this.#print(`${plan.workingDirectory}\n`)
        return
      case 'stty':
        await this.#print(`${this.#size?.rows} ${this.#size?.columns}\r\n`)
        return
      case 'exit':
        this.#status = Number(word)
        this.end(this.#status)
        return
      case 'sleep':
        if (!this.#hungUp.signal.aborted) await once(this.#hungUp.signal, 'abort')
        return
      default:
        this.#status = 127
        await this.#print(`sh: ${name}: not found\n`, 'stderr')
    }
  }

  #print(text: string, stream: 'stdout' | 'stderr' = 'stdout'): Promise<void> {
    const to = this.plan.terminal ? 'stdout' : stream
    this.#printed = this.#printed.then(() => this.hooks.output(to, Buffer.from(text)))
    return this.#printed
  }
}
