import { expect } from 'vitest'

export interface Ran {
  readonly code: number | undefined
  readonly output: string
}

/** What a command of a document needs beyond what the commands before it have left. */
export interface Circumstances {
  /** That of its end; by default 0. */
  readonly code?: number | 'any'
  readonly before?: () => Promise<unknown>
  readonly after?: (output: string) => unknown
}

/**
 * Runs the commands one after the other. Fails for one that does not end as it should, and for circumstances of a command
 * that is not there.
 */
export async function follow<T extends Circumstances>(
  commands: readonly string[],
  special: Readonly<Record<string, T>>,
  run: (command: string, circumstances: T | undefined) => Promise<Ran>,
): Promise<void> {
  expect(commands).not.toEqual([])
  expect(Object.keys(special).filter((one) => !commands.includes(one))).toEqual([])
  for (const command of commands) {
    const { code = 0, before, after } = special[command] ?? {}
    await before?.()
    const ran = await run(command, special[command])
    if (code !== 'any') expect(ran.code, `${command}\n${ran.output}`).toBe(code)
    await after?.(ran.output)
  }
}

/** Puts what there is on this host in the place of what stands for it in a document. */
export function substitute(command: string, instead: Readonly<Record<string, string>>): string {
  return Object.entries(instead).reduce((text, [from, to]) => text.replaceAll(from, to), command)
}
