import { readFileSync } from 'node:fs'
import { readdir } from 'node:fs/promises'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageOf } from '../../../base/errors.js'
import type { Staging } from '../../../daemon/documents/staging.js'
import { leftovers } from '../../engine/support/leftovers.js'
import { until } from '../../engine/support/private-daemon.js'
import { Figures, figures } from '../support/promises.js'
import { ATTEMPTS } from './attempts.js'
import { ENDINGS } from './endings.js'
import { HostileNode } from './hostile-node.js'
import { ODD_TREES, placeOf } from './snapshots.js'

/** In ./scripts/soak all of them: a container for each, and a snapshot of each tree, take time. */
const inThisRun = ({ always }: { readonly always?: true }) => always === true || process.env.HOSTILE_STAGERS === 'all'
const endings = ENDINGS.filter(inThisRun)
const trees = ODD_TREES.filter(inThisRun)

const MODULE = readFileSync(new URL('programs/Hostile.pm', import.meta.url))
const HEAD = `use strict; no warnings; use lib '/app'; use Hostile; use Fcntl; use POSIX (); use IO::Socket::INET; use IO::Socket::UNIX; $| = 1;\n`
const stagerOf = (name: string) => name.replaceAll(/[^a-z0-9]+/gi, '-').toLowerCase()
const inPerl = (text: string) => `'${text.replaceAll(/['\\]/g, String.raw`\$&`)}'`
const listInPerl = (...texts: readonly string[]) => `[${texts.map(inPerl).join(', ')}]`

/** Prints what each attempt says, on a line of its own: `NAME: WHAT`. Several at once, because some wait for an answer. */
const ALL_ATTEMPTS = `${HEAD}
my @attempts = (${ATTEMPTS.map(({ name }) => listInPerl(name, stagerOf(name))).join(', ')});
for my $worker (0 .. 7) {
  next if fork;
  for my $attempt (map { $attempts[$_] } grep { $_ % 8 == $worker } 0 .. $#attempts) {
    my $said = \`/bin/busybox timeout -s KILL 20 /usr/bin/perl /app/attempts/$attempt->[1].pl 2>&1\`;
    $said =~ s/[^\\x20-\\x7e]+/ /g;
    syswrite STDOUT, "$attempt->[0]: " . substr($said, 0, 300) . "\\n";
  }
  POSIX::_exit(0);
}
1 while wait > 0;
asked('POST', '/done');
`

/** Prints what is answered to the snapshot of each tree. */
const ALL_TREES = `${HEAD}
mkdir '/odd';
for my $tree (${trees.map((tree) => listInPerl(tree.name, placeOf(tree), tree.query ?? `directory=${placeOf(tree)}`, stagerOf(tree.name))).join(', ')}) {
  my ($name, $place, $query, $program) = @$tree;
  mkdir $place;
  system '/bin/busybox', 'timeout', '-s', 'KILL', '20', '/usr/bin/perl', '-e', "chdir '$place'; exec '/usr/bin/perl', '/app/trees/$program.pl'";
  my $said = asked('POST', "/snapshot?$query");
  print "$name: $said\\n";
}
mkdir '/odd/last'; open my $f, '>', '/odd/last/file'; print $f 'last'; close $f;
print 'last: ', asked('POST', '/snapshot?directory=/odd/last'), "\\n";
asked('POST', '/done');
`

const programs = {
  'Hostile.pm': MODULE,
  'all-attempts.pl': ALL_ATTEMPTS,
  'all-trees.pl': ALL_TREES,
  ...Object.fromEntries(
    ATTEMPTS.map(({ name, perl }) => [
      `attempts/${stagerOf(name)}.pl`,
      `${HEAD}my @said = do { ${perl} }; print "@said\\n";`,
    ]),
  ),
  ...Object.fromEntries(trees.map(({ name, perl }) => [`trees/${stagerOf(name)}.pl`, HEAD + perl])),
  ...Object.fromEntries(endings.map(({ name, perl }) => [`endings/${stagerOf(name)}.pl`, HEAD + perl])),
}

const stagers = [
  { name: 'attempts', start_command: '/usr/bin/perl /app/all-attempts.pl' },
  { name: 'trees', start_command: '/usr/bin/perl /app/all-trees.pl' },
  ...endings.map(({ name, limits = {} }) => ({
    name: stagerOf(name),
    start_command: `/usr/bin/perl /app/endings/${stagerOf(name)}.pl`,
    limits,
  })),
]

describe('hostile stagers', () => {
  let node: HostileNode
  beforeAll(async () => {
    node = await HostileNode.start(programs, stagers)
    await node.begin()
  })
  afterAll(() => node.close())

  /** What the program has said of each name, as a line `NAME: WHAT`. */
  const saidIn = (log: string, name: string) =>
    log
      .split('\n')
      .find((line) => line.startsWith(`${name}:`))
      ?.slice(name.length + 1)
      .trim()

  describe.concurrent('each in a container', () => {
    it(`try ${ATTEMPTS.length} ways out of it`, async () => {
      const { staging, log } = await node.staged('attempts')
      expect(staging.failure, log).toBeUndefined()
      // All of them are checked, whatever the first breach.
      const breaches = ATTEMPTS.flatMap(({ name, must }) => {
        const said = saidIn(log, name) ?? 'nothing'
        const found = must.test(said) ? [] : [`${said}, instead of ${String(must)}`]
        try {
          figures.check('escape', `a stager that ${name}`, found)
          return []
        } catch (error) {
          return [messageOf(error)]
        }
      })
      expect(breaches).toEqual([])
      node.check('the attempts of a stager')
    })

    // One after the other, and each takes seconds on a busy host.
    const deadlineMs = 60_000 + 10_000 * trees.length
    it(`ask for snapshots of ${trees.length} odd trees`, { timeout: deadlineMs + 30_000 }, async () => {
      const { staging, log } = await node.staged('trees', deadlineMs)
      expect(staging.failure, log).toBeUndefined()
      const wrong = trees.flatMap(({ name, must }) => {
        const said = saidIn(log, name) ?? 'nothing'
        return must.test(said) ? [] : [`${name}: ${said}, instead of ${String(must)}`]
      })
      expect(wrong).toEqual([])
      expect(saidIn(log, 'last')).toBe('200 OK')
      node.check('snapshots of odd trees')
    })

    it.each(endings)('$name: $must', async ({ name, must, log: has, notInLog }) => {
      const { staging, log } = await node.staged(stagerOf(name))
      const { failure, state, uuid } = staging
      expect(failure?.cause ?? state, `${failure?.message ?? ''}\n${log.slice(-2000)}`).toBe(must)
      if (has) expect(log.slice(-5000)).toMatch(has)
      if (notInLog) expect((await node.daemon.stagectl('staging', 'logs', uuid)).stdout).not.toMatch(notInLog)
      node.check(`a stager that ${name}`)
    })
  })

  it('delay a neighbour, but not beyond measure, and never make it fail', async () => {
    const { failures, idle, meanwhile } = await node.neighbour.stop()
    console.log(`neighbour of hostile stagers: idle ${idle.text}, meanwhile ${meanwhile.text}`)
    expect(failures).toEqual([])
    expect(meanwhile.median / idle.median).toBeLessThan(12)
    expect(meanwhile.worst / idle.median).toBeLessThan(60)
  })

  it('leave the shared layers as they were', () => node.checkLayers('the layers below hostile stagers'))

  it('have one end each, which is what the node remembers', async () => {
    await node.daemon.kill()
    await node.daemon.restart()
    for (const { uuid, state, failure } of node.ended) {
      const after = await node.daemon.ask<Staging>('GET', `/v1/stagings/${uuid}`)
      const same = after.state === state && after.failure?.cause === failure?.cause
      figures.check('loss', `staging ${uuid}`, same ? [] : [`${state} became ${after.state}`])
    }
  })

  it('would be seen if they had changed something', () => {
    const { host, layers } = node.plant()
    const unrecorded = new Figures(undefined)
    host()
    expect(() => node.check('a planted stager', unrecorded)).toThrow(/^escape: .*passwd/)
    layers()
    expect(() => node.checkLayers('a planted stager', unrecorded)).toThrow(/^escape: .*busybox/)
  })

  it('leave nothing', async () => {
    await until('nothing is left', async () => (await leftovers(node.daemon)).length === 0).catch(() => undefined)
    figures.check('leftover', 'hostile stagers', await leftovers(node.daemon))
    const temporary = await readdir(path.join(node.daemon.stateDirectory, 'blobs', 'new')).catch(() => [])
    figures.check('leftover', 'temporary files of hostile stagers', temporary)
  })
})
