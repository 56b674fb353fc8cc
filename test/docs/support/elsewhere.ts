import { readFile } from 'node:fs/promises'
import path from 'node:path'
import { installDirectory } from '../../../base/installation.js'

/** A test by its file and its title, so that it is noticed when one of the two changes. */
export interface TestPlace {
  readonly file: string
  readonly title: string
}

interface Elsewhere extends TestPlace {
  readonly commands: readonly string[]
  /** Why a daemon in one process, on a fake isolation, cannot do it. */
  readonly because: string
}

/** Commands of documents that other tests run than those of this folder. */
export const ELSEWHERE: readonly Elsewhere[] = [
  {
    because: 'they compile a library, and install programs on a bare host',
    commands: [
      './scripts/package',
      'sudo apt-get install ./dist/stagerd_0.1.0_amd64.deb',
      'sudo stagectl bootstrap static-site',
      'sudo stagectl stage /usr/share/doc/stagerd/examples/apps/static-pages',
      'sudo stagectl run static-pages --publish 8080',
    ],
    file: 'test/machine/documents.test.ts',
    title: 'the words of the README install the package on a bare host, and stage and run a first application',
  },
  {
    because: 'it needs an operating system, Ruby and Git, and real containers',
    commands: [
      'stagectl buildpack add static ./static-buildpack',
      'stagectl buildpack list',
      'stagectl stage . --pipeline buildpack',
      'stagectl stage . --buildpack static',
      'stagectl buildpack remove static',
    ],
    file: 'test/engine/system/buildpacks.ts',
    title: 'are tried in their order; the first that detects the application compiles it, alone, with its cache',
  },
  {
    because: 'they change the host',
    commands: ['sudo ./scripts/install', 'sudo ./scripts/uninstall', 'scripts/uninstall --purge'],
    file: 'test/machine/install.test.ts',
    title:
      'installs and starts the service, again without a loss, removes all but settings and data, and then those too',
  },
  {
    because: 'the pages are in an installation only',
    commands: ['man stagectl', 'man stagerd', 'man stagerd.toml'],
    file: 'test/scripts/manual.test.ts',
    title: 'has a page for each program, each command, and the settings',
  },
  {
    because: 'it builds an operating system in containers, for minutes',
    commands: ['stagectl bootstrap', 'stagectl bootstrap nodejs python', 'stagectl bootstrap nodejs'],
    file: 'test/engine/system/bootstrap.test.ts',
    title: 'has nothing to do afterwards, and stages nothing',
  },
  {
    because: 'they are those of an installed package, from a checkout',
    commands: [
      './bin/stagectl bootstrap static-site',
      './bin/stagectl stage examples/apps/static-pages',
      './bin/stagectl run static-pages --publish 8080',
    ],
    file: 'test/machine/documents.test.ts',
    title: 'the words of the README install the package on a bare host, and stage and run a first application',
  },
  {
    because: 'they build an operating system, and need a real container',
    commands: [
      'sudo ./bin/stagerd --state-dir /tmp/stagerd --socket /tmp/stagerd.sock --group "$(id -gn)" &',
      'export STAGERD_SOCKET=/tmp/stagerd.sock',
      'until ./bin/stagectl node status 2>/dev/null; do sleep 0.5; done',
      'sudo ./images/build busybox --output /tmp/busybox.tar.gz',
      './bin/stagectl package from-file /tmp/busybox.tar.gz /apcera/pkg/os::busybox --provides os.busybox',
      './bin/stagectl stager create small-site --path examples/stagers/small-site --depends-on os.busybox --pipeline \\\n  --start-command ./stage',
      './bin/stagectl stage examples/apps/static-site',
      './bin/stagectl run tide-tables --publish 8080',
    ],
    file: 'test/engine/system/documents.test.ts',
    title: 'the first staging by hand of the README works, and its site answers',
  },
  {
    because: 'it needs what a bootstrap has made',
    commands: ['stagectl bootstrap --to stagerd.cntmp', 'stagectl bootstrap --from stagerd.cntmp'],
    file: 'test/engine/system/bootstrap.test.ts',
    title: 'furnishes a node without a network by a file, and an application is staged there',
  },
  {
    because: 'it bootstraps a node of its own, for minutes',
    commands: ['./scripts/bootstrap-file FILE [PIPELINE…]'],
    file: 'scripts/soak',
    title: './scripts/bootstrap-file "$file" bash static-site',
  },
]

/** For who changes the checkout: scripts and npm run tests and builds all the time. Only their names are checked. */
const OF_THE_CHECKOUT =
  /^(?:sudo )?(?:npm |\.\/scripts\/(?:bench|clean|dashboard-picture|demo|fuzz|simulate|soak|test|thousand|vm-test)(?: |$))/

/** Those need a service manager, accounts, or a package manager. */
const OF_A_MACHINE =
  /^(?:sudo )?(?:apt-get|docker|systemctl|journalctl|systemd-sysusers|groupadd|usermod|mv|install|tar -xzf stagerd-settings\S*|stagerd) |^sudo stagectl/

/** Whether test/machine/documents.test.ts is to run it, which follows docs/operations.md and docs/access.md, too. */
export function isOfMachine(command: string): boolean {
  return OF_A_MACHINE.test(command) && !isListed(command)
}

export function isListed(command: string): boolean {
  return OF_THE_CHECKOUT.test(command) || ELSEWHERE.some(({ commands }) => commands.includes(command))
}

/** Why there is no such test; undefined if there is one. */
export async function whyNoTest({ file, title }: TestPlace): Promise<string | undefined> {
  const text = await readFile(path.join(installDirectory(), file), 'utf8').catch(() => undefined)
  if (text === undefined) return `there is no ${file}`
  return text.includes(title) ? undefined : `${file} has no test "${title}"`
}
