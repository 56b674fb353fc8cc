import type { Found, Trace } from './trace.js'

/** What a rule knows besides the output. */
export interface HintContext {
  readonly program: Program
  readonly egress: boolean
  /** Whether the program has the certificates of the setting `ca-bundle`. */
  readonly caBundle: boolean
  /** Whether the program has been given a proxy, by the settings or otherwise. */
  readonly proxy: boolean
  /** Undefined if it is not known, or not the program's own. */
  readonly exitCode: number | undefined
  readonly memoryBytes: number
  /** The names of the runtimes that the package can be given, in order of preference. */
  readonly runtimes: readonly string[]
  /** Ports of the container that are published; none for a stager. */
  readonly published: readonly number[]
  /** The variable PORT of the program. */
  readonly port: string | undefined
}

/** Whose output it is, which decides the commands that help. */
export type Program = { readonly kind: 'stager'; readonly fqn: string } | Run

export interface Run {
  readonly kind: 'run'
  /** With which its user has started it. */
  readonly command: 'stagectl run' | 'stagectl droplet run'
}

/** A reason that the field meets often, by its traces in the last lines of the output. */
export interface HintRule {
  /** For tests. */
  readonly name: string
  /** One of these is enough. */
  readonly traces: readonly Trace[]
  /** One sentence with what to do; undefined if it would not be right in this context. */
  readonly hint: (context: HintContext, found: Found) => string | undefined
}

/** The end of a sentence. */
export function allowEgress({ program }: HintContext): string {
  return program.kind === 'stager'
    ? `allow it with 'stagectl stager update ${program.fqn} --allow-egress', and stage again`
    : `allow it with '${program.command} --allow-egress'`
}

/** The end of a sentence. */
export function moreMemory({ program, memoryBytes }: HintContext): string {
  const twice = `${Math.ceil(memoryBytes / 1024 / 1024) * 2}MB`
  return program.kind === 'stager'
    ? `allow more with 'stagectl stager update ${program.fqn} --memory ${twice}', and stage again`
    : `allow more with '${program.command} --memory ${twice}'`
}

/** A name of a host beyond this one. Names without a dot are services of the application. */
export const HOST = String.raw`(?<host>(?:[\w-]{1,63}\.){1,8}[A-Za-z]{2,24})`

/** A path that can be repeated. */
export const FILE = String.raw`(?<file>[\w./+-]{1,150})`

/** `npm error`, and `npm ERR!` before npm 10.8. */
export const NPM = '^npm (?:ERR!|error)'
