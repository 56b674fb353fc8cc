import path from 'node:path'
import { BadInput, messageOf, NotFound } from '../../base/errors.js'
import { assertNamespace, quote } from '../../base/fqn.js'
import type { Io } from '../terminal/io.js'
import { readPrivateFile } from './private-file.js'
import { replaceFile } from './replace-file.js'
import { remedyOf, userDirectory } from './user-directory.js'

/** A stagerd with a name. */
export interface Context {
  readonly address: string
  /** Absolute path of a PEM file. */
  readonly ca?: string
  /** Absolute path of a file with mode 0600. */
  readonly tokenFile?: string
  readonly namespace?: string
}

export interface Contexts {
  /** Undefined for `LOCAL`. */
  readonly current: string | undefined
  readonly byName: ReadonlyMap<string, Context>
}

/** The context that is always there: the control socket of this host. */
export const LOCAL = 'local'

const REMEDY = remedyOf('config')

export function contextsFile(env: Io['env']): string {
  return path.join(contextsDirectory(env), 'contexts.toml')
}

/** Where stagectl keeps the token of a context that it is given. */
export function tokenFileOf(env: Io['env'], name: string): string {
  return path.join(contextsDirectory(env), 'tokens', name)
}

function contextsDirectory(env: Io['env']): string {
  return path.join(path.dirname(userDirectory('config', env)), 'stagerd')
}

/** None without a file. Throws `BadInput` (`bad-contexts`, `file-not-private`). */
export async function readContexts(env: Io['env']): Promise<Contexts> {
  const file = contextsFile(env)
  const text = readIfThere(file)
  if (text === undefined) return { current: undefined, byName: new Map() }
  const { parse } = await import('smol-toml')
  try {
    const { current, contexts = {} } = parse(text) as { current?: unknown; contexts?: Record<string, unknown> }
    const byName = new Map(Object.entries(contexts).map(([name, fields]) => [name, contextOf(name, fields)]))
    if (current !== undefined && (typeof current !== 'string' || !byName.has(current)))
      throw new Error('"current" is not the name of a context')
    return { current, byName }
  } catch (error) {
    const [reason = ''] = messageOf(error).replace(/\.$/, '').split('\n')
    throw new BadInput('bad-contexts', `${file} is invalid (${reason}): correct it, or remove it.`, { cause: error })
  }
}

export async function writeContexts(env: Io['env'], { current, byName }: Contexts): Promise<void> {
  const contexts = Object.fromEntries(
    [...byName].map(([name, { tokenFile, ...context }]) => [
      name,
      { ...context, ...(tokenFile === undefined ? {} : { 'token-file': tokenFile }) },
    ]),
  )
  const { stringify } = await import('smol-toml')
  const text = stringify({ ...(current === undefined ? {} : { current }), contexts })
  await replaceFile(contextsFile(env), text, { mode: 0o600, remedy: REMEDY })
}

/** Throws `NotFound` (`context-not-found`). */
export function contextNamed({ byName }: Contexts, name: string): Context {
  const found = byName.get(name)
  if (!found)
    throw new NotFound('context-not-found', `There is no context ${quote(name)}: see \`stagectl context list\`.`)
  return found
}

function readIfThere(file: string): string | undefined {
  try {
    return readPrivateFile(file, REMEDY)
  } catch (error) {
    if (error instanceof NotFound) return undefined
    if (error instanceof BadInput && error.code === 'not-a-directory') return undefined
    throw error
  }
}

function contextOf(name: string, fields: unknown): Context {
  const text = (key: string): string | undefined => {
    const value: unknown = typeof fields === 'object' && fields !== null ? Reflect.get(fields, key) : undefined
    if (value !== undefined && typeof value !== 'string') throw new Error(`"${key}" of ${quote(name)} is not a string`)
    return value
  }
  const [address, ca, tokenFile, namespace] = [text('address'), text('ca'), text('token-file'), text('namespace')]
  if (address === undefined) throw new Error(`${quote(name)} has no "address"`)
  if (namespace !== undefined) assertNamespace(namespace)
  return {
    address,
    ...(ca === undefined ? {} : { ca }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
    ...(namespace === undefined ? {} : { namespace }),
  }
}
