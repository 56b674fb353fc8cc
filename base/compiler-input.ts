/** What the stager `compiler` needs of a build script. */
export interface CompilerScript {
  readonly build: string
  readonly cleanup: readonly string[]
  readonly snapshotPath: string | undefined
  readonly depends: readonly CapabilityName[]
  readonly buildDepends: readonly CapabilityName[]
  readonly provides: readonly CapabilityName[]
  readonly environment: Readonly<Record<string, string>>
}

interface CapabilityName {
  readonly type: string
  readonly name: string
}

/** Directories of the input, in an order in which they can be unpacked. */
export const COMPILER_DIRECTORIES = ['work/', 'build/', 'build/environment/', 'build/environment/forms/'] as const

/**
 * The texts of the directory `build` in the input of the stager `compiler`, in a form that a shell reads without a parser:
 *
 *     build/body            the shell commands to run
 *     build/cleanup         one path per line
 *     build/depends         one type.name per line; build_depends and provides likewise
 *     build/snapshot_path   empty, or one path
 *     build/environment/forms/N   for each variable, the form of PUT /meta that adds it
 */
export function compilerTexts(script: CompilerScript): Readonly<Record<string, string>> {
  const lines = (list: readonly string[]) => list.map((line) => `${line}\n`).join('')
  const capabilities = (list: readonly CapabilityName[]) => lines(list.map(({ type, name }) => `${type}.${name}`))
  return {
    'build/body': `${script.build}\n`,
    'build/cleanup': lines(script.cleanup),
    'build/snapshot_path': script.snapshotPath ?? '',
    'build/depends': capabilities(script.depends),
    'build/build_depends': capabilities(script.buildDepends),
    'build/provides': capabilities(script.provides),
    ...Object.fromEntries(
      Object.entries(script.environment).map(([key, value], index) => [
        `build/environment/forms/${index + 1}`,
        new URLSearchParams({ resource: 'environment', action: 'add', key, value }).toString(),
      ]),
    ),
  }
}
