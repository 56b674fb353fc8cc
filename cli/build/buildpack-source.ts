import { access, constants, mkdir, mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { createWriteStream } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import { BadInput, messageOf, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { runProcess } from '../../base/run-process.js'
import { locateSource } from '../pack/locate-source.js'
import type { Session } from '../session/session.js'
import { openSource } from './open-source.js'

/** Whether a source is fetched, and not a path. */
export function isUrl(source: string): boolean {
  return /^[a-z][a-z+]*:\/\//i.test(source) || /^[^/\s]+@[^/\s]+:/.test(source)
}

const TARBALL = /\.(?:tar|tgz|tar\.(?:gz|xz|bz2|zst))$/

/**
 * Hands the directory of a buildpack to `work`: a directory itself, or a temporary one for a tarball, the URL of one, and a
 * repository of Git, with `#BRANCH` after it. Git and tar are the programs of this host, with what they know of credentials.
 *
 * Throws `BadInput` (`not-a-buildpack`), `Unavailable` (`source-unreachable`), and what `openSource` and `locateSource` throw.
 */
export async function withBuildpack<T>(
  session: Session,
  source: string,
  work: (directory: string) => Promise<T>,
): Promise<T> {
  const file = path.resolve(session.io.cwd, source)
  if (!isUrl(source) && locateSource(file, source) === 'directory') {
    await assertBuildpack(file, source)
    return await work(file)
  }
  const temporary = await mkdtemp(path.join(tmpdir(), 'stagectl-buildpack-'))
  try {
    const directory = await fetched(session, source, temporary)
    await assertBuildpack(directory, source)
    return await work(directory)
  } finally {
    await rm(temporary, { recursive: true, force: true })
  }
}

async function fetched(session: Session, source: string, temporary: string): Promise<string> {
  const [url = '', ref] = source.split('#', 2)
  const isArchive = !isUrl(source) || TARBALL.test(new URL(url, 'file:///').pathname)
  const directory = path.join(temporary, 'buildpack')
  if (!isArchive) {
    await cloned(session, url, ref, directory)
    return directory
  }
  let file = path.resolve(session.io.cwd, source)
  if (isUrl(source)) {
    file = path.join(temporary, 'archive')
    const { body } = await openSource(url, session.signal)
    await pipeline(body, createWriteStream(file), { signal: session.signal })
  }
  await unpacked(session, file, source, directory)
  // An archive of a repository has it in a directory.
  const [only, ...others] = await readdir(directory, { withFileTypes: true })
  return only?.isDirectory() === true && others.length === 0 && only.name !== 'bin'
    ? path.join(directory, only.name)
    : directory
}

function environmentOf({ io }: Session): Readonly<Record<string, string>> {
  const set = Object.entries(io.env).flatMap(([name, value]) => (value === undefined ? [] : [[name, value] as const]))
  return Object.fromEntries(set)
}

async function cloned(session: Session, url: string, ref: string | undefined, directory: string): Promise<void> {
  const branch = ref === undefined ? [] : [`--branch=${ref}`]
  const options = ['--quiet', '--depth=1', '--recurse-submodules', '--shallow-submodules', ...branch]
  try {
    await runProcess('git', ['-c', 'core.hooksPath=/dev/null', 'clone', ...options, '--', url, directory], {
      env: { ...environmentOf(session), GIT_TERMINAL_PROMPT: '0' },
      signal: session.signal,
    })
  } catch (error) {
    session.signal.throwIfAborted()
    throw new Unavailable('source-unreachable', `Git cannot clone the buildpack: ${messageOf(error)}`, { cause: error })
  }
  await rm(path.join(directory, '.git'), { recursive: true, force: true })
}

async function unpacked(session: Session, file: string, source: string, directory: string): Promise<void> {
  await mkdir(directory)
  try {
    await runProcess('tar', ['-xf', file, '-C', directory, '--no-same-owner'], {
      env: environmentOf(session),
      signal: session.signal,
    })
  } catch (error) {
    session.signal.throwIfAborted()
    throw new BadInput('not-a-buildpack', `${quote(source)} is no tarball that can be unpacked: ${messageOf(error)}`, {
      cause: error,
    })
  }
}

/** Throws `BadInput` (`not-a-buildpack`). */
async function assertBuildpack(directory: string, source: string): Promise<void> {
  for (const program of ['bin/detect', 'bin/compile']) {
    const file = path.join(directory, program)
    const found = await stat(file).catch(() => undefined)
    const runs = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (found?.isFile() !== true || !runs)
      throw new BadInput(
        'not-a-buildpack',
        `${quote(source)} is no buildpack, because it has no program ${program}: a buildpack has bin/detect and bin/compile, with the permission to execute.`,
      )
  }
}
