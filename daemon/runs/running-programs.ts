import { runNotFound } from '../store/not-found.js'
import type { RunningProgram } from './run.js'

interface Running {
  readonly program: RunningProgram
  /** Whether it still takes input. */
  readonly input: boolean
}

/** The programs that run now, for requests that name one. */
export class RunningPrograms {
  readonly #running = new Map<string, Running>()

  add(program: RunningProgram, input: boolean): void {
    this.#running.set(program.id, { program, input })
  }

  delete({ id }: RunningProgram): void {
    this.#running.delete(id)
  }

  /** Throws `NotFound` (`run-not-found`). */
  get(uuid: string): Running {
    const found = this.#running.get(uuid)
    if (!found) throw runNotFound(uuid)
    return found
  }

  /** Of the package that runs. */
  namespaceOf(uuid: string): string | undefined {
    return this.#running.get(uuid)?.program.namespace
  }
}
