import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runProcess } from '../../../base/run-process.js'
import { CHECKOUT } from '../../engine/support/private-daemon.js'
import { recipeTarball } from '../../engine/support/tarballs.js'

/** npm needs a home, and the authorities that the host trusts. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
)

/** For the programs of Debian, which would ask questions. */
export const quiet = { ...environment, DEBIAN_FRONTEND: 'noninteractive' }

export const systemctl = (...args: string[]) => runProcess('systemctl', args)
export const stagectl = (...args: string[]) => runProcess('stagectl', args)
/** The first time, it compiles a library. */
export const install = () => runProcess(path.join(CHECKOUT, 'scripts/install'), [], { env: environment })
export const uninstall = (...args: string[]) =>
  runProcess(path.join(CHECKOUT, 'scripts/uninstall'), args, { env: environment })

/** Makes the pipeline `small-site` on the installed node. */
export async function furnish(): Promise<void> {
  const provides = ['--provides', 'os.linux,os.busybox']
  await stagectl('package', 'from-file', await recipeTarball('busybox'), 'busybox', ...provides)
  const program = ['--path', path.join(CHECKOUT, 'examples/stagers/small-site'), '--start-command', './stage']
  await stagectl('stager', 'create', 'small-site', ...program, '--depends-on', 'os.linux', '--pipeline')
}

/**
 * Stages a site with it. The site depends on a new package, which stagerd unpacks for /stagerfs, and which has what packages
 * may have: owners, modes, set-user-ID programs, capabilities of files.
 */
export async function stageSite(name: string, directory: string): Promise<void> {
  const tools = path.join(directory, name)
  await mkdir(path.join(tools, 'private'), { recursive: true })
  for (const file of ['privileged', 'capable', 'private/theirs'])
    await writeFile(path.join(tools, file), `#!/bin/sh\n# ${name}\n`, { mode: 0o755 })
  for (const file of ['privileged', 'private/theirs', 'private']) await chown(path.join(tools, file), 99, 99)
  await chmod(path.join(tools, 'privileged'), 0o6755)
  await chmod(path.join(tools, 'private'), 0o700)
  await runProcess('setfattr', ['-n', 'security.capability', '-v', CHOWN_ONLY, path.join(tools, 'capable')])
  const tarball = `${tools}.tar.gz`
  await runProcess('tar', ['--xattrs', '--xattrs-include=*', '-czf', tarball, '-C', directory, name])
  await stagectl('package', 'from-file', tarball, `tools-${name}`, '--provides', `package.${name}`)
  const site = path.join(CHECKOUT, 'examples/apps/static-site')
  const dependencies = ['--depends-on', `os.busybox,package.${name}`]
  await stagectl('stage', site, '--name', name, '--pipeline', 'small-site', ...dependencies)
}

/** CAP_CHOWN, as the kernel keeps it in an extended attribute. */
const CHOWN_ONLY = '0x0100000201000000000000000000000000000000'
