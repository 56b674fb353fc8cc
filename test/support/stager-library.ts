import { fileURLToPath } from 'node:url'
import { execa } from 'execa'

const PATH_OF = (path: string) => fileURLToPath(new URL(`../../${path}`, import.meta.url))

export const LIBRARY = PATH_OF('stagers/lib')

export interface Language {
  readonly language: string
  readonly program: readonly [string, ...string[]]
}

/** The libraries for stagers. Each program calls the functions that its arguments name. */
export const LANGUAGES: readonly Language[] = [
  { language: 'bash', program: ['bash', PATH_OF('test/fixtures/stager-library/call.sh')] },
  // Its gems, which the library does not use, are half of a start.
  { language: 'Ruby', program: ['ruby', '--disable-gems', PATH_OF('test/fixtures/stager-library/call.rb')] },
  { language: 'Python', program: ['python3', PATH_OF('test/fixtures/stager-library/call.py')] },
  { language: 'Node.js', program: [process.execPath, PATH_OF('test/fixtures/stager-library/call.mjs')] },
]

export type Call = readonly [name: string, ...args: string[]]

export interface Ended {
  readonly exitCode: number | undefined
  /** What the log of the staging would have. */
  readonly output: string
}

/** A call whose error does not end the stager: its sentence is a line of the output. */
export const attempt = (call: Call): Call => ['attempt', ...call]

/** Runs a stager that makes these calls. */
export async function callLibrary(
  { program }: Language,
  env: { readonly STAGER_URL: string } & Readonly<Record<string, string>>,
  ...calls: readonly Call[]
): Promise<Ended> {
  const [command, ...options] = program
  const args = calls.flatMap((call, index) => (index === 0 ? call : ['+', ...call]))
  const { exitCode, all } = await execa(command, [...options, ...args], {
    env: { ...env, LIBRARY },
    reject: false,
    all: true,
    stripFinalNewline: false,
  })
  return { exitCode, output: all }
}
