import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import type { BenchHost } from './host.js'
import { READY } from './waiting-launch.js'

/** Creates a stager that runs `script` as root and then waits, and a pipeline of the same name. */
export async function createWaitingStager(
  host: BenchHost,
  name: string,
  script: string,
  dependencies: readonly string[] = ['os.debian-12'],
): Promise<void> {
  const directory = join(host.work, name)
  await mkdir(directory)
  await writeFile(join(directory, 'prepare.sh'), `set -e\n${script}\necho '${READY}'\nexec sleep 86400\n`)
  await execa(join(host.root, 'bin/stagectl'), [
    ...['stager', 'create', `/bench::${name}`, '--path', directory, '--pipeline', '--user', 'root'],
    ...['--start-command', 'sh /app/prepare.sh', '--disk', '20GB', '--memory', '2GB', '--timeout', '2h'],
    ...dependencies.flatMap((dependency) => ['--depends-on', dependency]),
  ])
}

export async function createPackage(host: BenchHost, tarball: string, name: string, provides?: string): Promise<void> {
  const options = provides === undefined ? [] : ['--provides', provides]
  await execa(join(host.root, 'bin/stagectl'), ['package', 'from-file', tarball, `/bench::${name}`, ...options])
}

/** Creates a package with a single small file. */
export async function createSmallPackage(host: BenchHost, name: string): Promise<void> {
  const tarball = join(host.work, `${name}.tar.gz`)
  await execa('tar', ['-czf', tarball, '-C', '/etc', 'hostname'])
  await createPackage(host, tarball, name)
}
