import path from 'node:path'
import { beforeAll, expect, it } from 'vitest'
import type { Package } from '../../../daemon/documents/package.js'
import type { PrivateDaemon } from '../support/private-daemon.js'
import { stagerTarball, tarballOf } from '../support/tarballs.js'

const STEERED = 'this is code of the hostile stager'

/** Sets what could make the next stager run its code, which a dependency of the package brings along. */
const HOSTILE = `#!/bin/bash
set -e
put() { curl -fsS -X PUT "$@" "$STAGER_URL/meta"; }
set_env() { put --form-string resource=environment --form-string action=add --form-string "key=$1" --form-string "value=$2"; }
put -F resource=dependencies -F action=add -F type=package -F name=evil
set_env BASH_ENV /stagerfs/opt/evil/code
set_env ENV /stagerfs/opt/evil/code
set_env 'BASH_FUNC_ls%%' '() { echo ${STEERED}; }'
set_env PATH '/stagerfs/opt/evil:$PATH'
set_env LD_PRELOAD /stagerfs/opt/evil/code
set_env PERL5OPT '-Mevil'
set_env PERL5LIB /stagerfs/opt/evil
set_env GREETING hello
curl -fsS -X POST "$STAGER_URL/done"
`

const SCANNER = `#!/bin/bash
ls / >/dev/null
cat /dev/null
bash -c 'cat /dev/null'
sh -ic : </dev/null
perl -e 1
echo "greeting=$GREETING"
echo "in /stagerfs: $(</stagerfs/opt/evil/name)"
curl -fsS "$STAGER_URL/meta" | grep -o '"LD_PRELOAD":"[^"]*"'
curl -fsS -X POST "$STAGER_URL/done"
`

let daemon: PrivateDaemon
const file = (name: string) => path.join(daemon.directory, name)

/** The tests of variables that steer programs, on a node with debian-12. */
export function describeHostileVariables(node: () => PrivateDaemon): void {
  beforeAll(async () => {
    daemon = node()
    const code = `#!/bin/sh\necho ${STEERED}\n`
    const evil = { 'opt/evil/code': code, 'opt/evil/cat': code, 'opt/evil/evil.pm': `print "${STEERED}\\n"; 1;\n` }
    const tree = { ...evil, 'opt/evil/name': 'evil\n' }
    await daemon.addPackage(await tarballOf(file('evil.tar.gz'), tree), 'evil', { provides: 'package.evil' })
    const programs = await stagerTarball(file('hostile.tar.gz'), { hostile: HOSTILE, scanner: SCANNER })
    await daemon.addPackage(programs, 'hostile', { dependencies: 'os.debian-12' })
  })

  it.each([
    { name: 'plain', clean: false, greeting: 'hello' },
    { name: 'clean', clean: true, greeting: '' },
  ])('a hostile stager runs no code in the scanner behind it ($name)', async ({ name, clean, greeting }) => {
    const stager = async (command: string, clean_environment: boolean) =>
      await daemon.addStager({
        name: `${command}-${name}`,
        package: 'package::/::hostile',
        start_command: `./${command}`,
        clean_environment,
      })
    const stagers = [await stager('hostile', false), await stager('scanner', clean)].map(({ uuid }) => uuid)
    await daemon.ask('POST', '/v1/stagingpipelines', { namespace: '/', name, stagers })
    const source = await tarballOf(file(`${name}.tar.gz`), { 'index.html': 'hello' })
    await daemon.addPackage(source, `app-${name}`, { state: 'uploaded' })
    const { uuid } = await daemon.submit(`app-${name}`, name)
    const staging = await daemon.ended(uuid)
    const log = await daemon.text(uuid)
    expect(staging.state, log).toBe('succeeded')
    expect(log).not.toContain(STEERED)
    expect(log).not.toContain('cannot be preloaded')
    expect(log).toContain(`greeting=${greeting}\n`)
    expect(log).toContain('in /stagerfs: evil\n')
    // What the application gets is as the stager has set it.
    expect(log).toContain('"LD_PRELOAD":"/stagerfs/opt/evil/code"')
    const staged = await daemon.ask<Package>('GET', `/v1/packages/${encodeURIComponent(`package::/::app-${name}`)}`)
    expect(staged.environment).toMatchObject({ LD_PRELOAD: '/stagerfs/opt/evil/code', GREETING: 'hello' })
  })
}
