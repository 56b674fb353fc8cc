import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runProcess } from '../../../base/run-process.js'
import { CHECKOUT } from '../../engine/support/private-daemon.js'
import { environment, quiet } from './installation.js'

/** Earlier than the version of the checkout. */
export const EARLIER = '0.0.9'

export const apt = (...args: string[]) => runProcess('apt-get', ['--yes', ...args], { env: quiet })

/** Of the Debian package of stagerd. */
export const installedVersion = async () =>
  (await runProcess('dpkg-query', ['--show', '--showformat=${Version}', 'stagerd'])).stdout

/** For `dpkg-deb`: xz takes a processor a minute for each package, and shows nothing that gzip does not. */
const QUICK = `#!/bin/bash
exec /usr/bin/dpkg-deb "\${@/#-Zxz/-Zgzip}"
`

/** Builds the Debian package of a checkout. The first time, it compiles a library. @returns the file in `directory` */
export async function buildPackage(directory: string, checkout = CHECKOUT): Promise<string> {
  const programs = path.join(directory, 'programs')
  await mkdir(programs, { recursive: true })
  await writeFile(path.join(programs, 'dpkg-deb'), QUICK, { mode: 0o755 })
  const env = { ...environment, PATH: `${programs}:${environment.PATH}` }
  await runProcess(path.join(checkout, 'scripts/package'), ['--no-lint', '--output', directory], { env })
  const [name] = (await readdir(directory)).filter((one) => one.endsWith('.deb'))
  return path.join(directory, name ?? '')
}

/** Writes the same package, under another version, to `file`. */
export async function withVersion(version: string, debianPackage: string, file: string): Promise<void> {
  const tree = `${file}.tree`
  await runProcess('dpkg-deb', ['--raw-extract', debianPackage, tree])
  const control = path.join(tree, 'DEBIAN/control')
  await writeFile(control, (await readFile(control, 'utf8')).replace(/^Version: .*$/m, `Version: ${version}`))
  await runProcess('dpkg-deb', ['--build', '-Zgzip', '-z1', tree, file])
}

const git = async (...args: string[]) =>
  (await runProcess('git', ['-c', 'safe.directory=*', '-C', CHECKOUT, ...args])).stdout

/**
 * The commit before the one that has made the last migration of the database. Undefined where the history is not there, as in
 * a shallow clone.
 */
export async function commitBeforeLastMigration(): Promise<string | undefined> {
  const added = ['--diff-filter=A', '--', 'daemon/store/sqlite/migrations/']
  const parents = await git('log', '--max-count=1', '--no-merges', '--format=%P', ...added).catch(() => '')
  return parents.split(' ').find((parent) => parent !== '')
}

/**
 * Builds the Debian package of an earlier commit, under an earlier version, in `directory`. `buildPackage` has made the parts
 * of the checkout: what both need is compiled once.
 *
 * @returns the file
 */
export async function buildPackageOf(commit: string, directory: string): Promise<string> {
  const checkout = path.join(directory, 'checkout')
  const parts = '.cache/installation'
  await mkdir(path.join(checkout, parts), { recursive: true })
  await git('archive', `--output=${checkout}.tar`, commit)
  await runProcess('tar', ['-xf', `${checkout}.tar`, '-C', checkout])
  await symlink(path.join(CHECKOUT, 'node_modules'), path.join(checkout, 'node_modules'))
  for (const name of await readdir(path.join(CHECKOUT, parts)))
    if (/^(node|better-sqlite3)-.*\d$/.test(name))
      await symlink(path.join(CHECKOUT, parts, name), path.join(checkout, parts, name))
  const manifest = path.join(checkout, 'package.json')
  await writeFile(
    manifest,
    (await readFile(manifest, 'utf8')).replace(/^ {2}"version": .*$/m, `  "version": "${EARLIER}",`),
  )
  return await buildPackage(directory, checkout)
}
