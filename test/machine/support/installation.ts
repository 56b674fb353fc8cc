import { chmod, chown, mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { runProcess } from '../../../base/run-process.js'
import { CHECKOUT } from '../../engine/support/private-daemon.js'
import { recipeTarball } from '../../engine/support/tarballs.js'

/** npm needs a home, and the authorities that the host trusts. */
export const environment = Object.fromEntries(
  Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
)

export const systemctl = (...args: string[]) => runProcess('systemctl', args)
export const stagectl = (...args: string[]) => runProcess('stagectl', args)
/** The first time, it compiles a library. */
export const install = () => runProcess(path.join(CHECKOUT, 'scripts/install'), [], { env: environment })
export const uninstall = (...args: string[]) =>
  runProcess(path.join(CHECKOUT, 'scripts/uninstall'), args, { env: environment })

/**
 * Makes the pipeline `small-site` on the installed node. The root of its stager has what packages may have: owners,
 * set-user-ID programs, capabilities of files.
 */
export async function furnish(directory: string): Promise<void> {
  await stagectl('package', 'from-file', await recipeTarball('busybox'), 'busybox', '--provides', 'os.linux,os.busybox')
  const tools = path.join(directory, 'tools')
  await mkdir(tools, { recursive: true })
  for (const name of ['privileged', 'capable']) await writeFile(path.join(tools, name), '#!/bin/sh\n', { mode: 0o755 })
  await chown(path.join(tools, 'privileged'), 99, 99)
  await chmod(path.join(tools, 'privileged'), 0o4755)
  await runProcess('setfattr', ['-n', 'security.capability', '-v', CHOWN_ONLY, path.join(tools, 'capable')])
  const tarball = path.join(directory, 'tools.tar.gz')
  await runProcess('tar', ['--xattrs', '--xattrs-include=*', '-czf', tarball, '-C', directory, 'tools'])
  await stagectl('package', 'from-file', tarball, 'tools', '--provides', 'package.tools')
  const program = ['--path', path.join(CHECKOUT, 'examples/stagers/small-site'), '--start-command', './stage']
  await stagectl('stager', 'create', 'small-site', ...program, '--depends-on', 'os.linux,package.tools', '--pipeline')
}

/** CAP_CHOWN, as the kernel keeps it in an extended attribute. */
const CHOWN_ONLY = '0x0100000201000000000000000000000000000000'

export const stageSite = (name: string) =>
  stagectl('stage', path.join(CHECKOUT, 'examples/apps/static-site'), '--name', name, '--pipeline', 'small-site')
