import { mkdir, writeFile } from 'node:fs/promises'
import path from 'node:path'
import { execa } from 'execa'
import type { DaemonInProcess } from '../../support/daemon-in-process.js'
import type { FakeStager } from '../../support/fake-isolation.js'
import { call } from '../../support/staging-harness.js'

/** A stager that is content with everything. */
export const CONTENT: FakeStager = async ({ url }) => {
  await call(url, 'POST /done')
}

/** Makes the stager and the pipeline `nodejs`, which the documents name. Leaves `any.tar.gz`, a package. */
export async function furnish(daemon: DaemonInProcess, program: FakeStager = CONTENT): Promise<void> {
  daemon.isolation.stagers.set('./stage', program)
  const { directory } = daemon
  await mkdir(path.join(directory, 'stager/etc'), { recursive: true })
  await writeFile(path.join(directory, 'stager/stage'), '#!/bin/any')
  await execa('tar', ['-czf', 'any.tar.gz', '-C', 'stager', 'etc'], { cwd: directory })
  await daemon.made('package', 'from-file', 'any.tar.gz', 'any', '--provides', 'os.any')
  const options = ['--path', 'stager', '--start-command', './stage', '--depends-on', 'os.any']
  await daemon.made('stager', 'create', 'nodejs', ...options, '--pipeline')
}

/** An application for that pipeline, with the secrets that the documents name. Returns its directory. */
export async function application(daemon: DaemonInProcess, name: string): Promise<string> {
  const directory = path.join(daemon.directory, name)
  const files = {
    'continuum.conf': 'staging_pipeline: "nodejs"',
    'index.js': 'serve()',
    'deploy-key': 'a private key',
    'token.txt': 'a token',
  }
  await mkdir(directory, { recursive: true })
  for (const [file, text] of Object.entries(files)) await writeFile(path.join(directory, file), text)
  return directory
}
