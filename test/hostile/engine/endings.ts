import type { Limits } from '../../../daemon/documents/limits.js'
import type { Cause } from '../../../daemon/model/staging.js'

/** A stager with a launch of its own, because it spoils that for others. */
export interface Ending {
  readonly name: string
  /** Perl, with test/hostile/engine/programs/Hostile.pm. */
  readonly perl: string
  readonly limits?: Partial<Limits>
  /** How the staging must end: `succeeded`, or the cause of its failure. */
  readonly must: Cause | 'succeeded'
  /** Also in ./scripts/test, which has no time for all of them. */
  readonly always?: true
  /** What the log must have, and must not have. */
  readonly log?: RegExp
  readonly notInLog?: RegExp
}

const MIB = 2 ** 20
const DISK = { disk_bytes: 16 * MIB }
const SHORT = { timeout_ms: 1_500 }
const FILL = `my $block = 'x' x 1048576;`
const done = `asked('POST', '/done');`

export const ENDINGS: readonly Ending[] = [
  // Limits.
  {
    name: 'forks without an end',
    always: true,
    perl: `1 while defined fork; sleep 60`,
    limits: { pids: 32 },
    must: 'pids-limit',
  },
  {
    name: 'forks and dies, again and again',
    perl: `while (1) { my $pid = fork // exit 1; exit if $pid }`,
    limits: { pids: 16, ...SHORT },
    must: 'no-verdict',
  },
  {
    name: 'takes all memory',
    perl: `${FILL} my @all; push @all, $block . $_ for 1 .. 10_000; ${done}`,
    limits: { memory_bytes: 32 * MIB },
    must: 'out-of-memory',
  },
  {
    name: 'takes all memory by files in /dev/shm',
    always: true,
    perl: `${FILL} open my $f, '>', '/dev/shm/f'; syswrite $f, $block for 1 .. 60; sleep 5`,
    limits: { memory_bytes: 32 * MIB },
    must: 'out-of-memory',
  },
  {
    name: 'fills its root',
    perl: `${FILL} open my $f, '>', '/tmp/f'; syswrite $f, $block for 1 .. 1000; sleep 30`,
    limits: DISK,
    must: 'disk-full',
  },
  {
    name: 'fills its root with a deleted file',
    always: true,
    perl: `${FILL} open my $f, '>', '/tmp/f'; unlink '/tmp/f'; syswrite $f, $block for 1 .. 200; sleep 30`,
    limits: DISK,
    must: 'disk-full',
  },
  {
    name: 'fills its root by allocation alone',
    perl: `open my $f, '>', '/tmp/f'; sys('fallocate', fileno $f, 0, 0, 100 << 20); sleep 30`,
    limits: DISK,
    must: 'disk-full',
  },
  {
    name: 'fills /stagerfs',
    perl: `${FILL} open my $f, '>', '/stagerfs/f' or die "$!"; syswrite $f, $block for 1 .. 200; sleep 30`,
    limits: DISK,
    must: 'disk-full',
  },
  {
    name: 'fills its root with small files',
    perl: `mkdir '/tmp/d'; my $n = 0; while (1) { open my $f, '>', '/tmp/d/' . $n++; syswrite $f, 'x' }`,
    limits: DISK,
    must: 'disk-full',
  },
  {
    name: 'fills its root with attributes',
    perl: `my $n = 0; while (1) { my $f = '/tmp/' . $n++; open my $h, '>', $f; close $h; sys('lsetxattr', $f, 'user.x', $n . 'x' x 3000, 3000, 0) }`,
    limits: { ...DISK, timeout_ms: 20_000 },
    must: 'disk-full',
  },
  {
    name: 'copies a file of its dependencies up, again and again',
    perl: `for (1 .. 100) { system "cp /stagerfs/bin/busybox /stagerfs/b$_" } sleep 30`,
    limits: DISK,
    must: 'disk-full',
  },

  // Time.
  { name: 'sleeps', perl: `sleep 60`, limits: SHORT, must: 'timeout' },
  { name: 'ignores SIGTERM', perl: `$SIG{TERM} = 'IGNORE'; sleep 1 while 1`, limits: SHORT, must: 'timeout' },
  { name: 'stops itself', perl: `kill 'STOP', $$`, limits: SHORT, must: 'timeout' },
  { name: 'stops everything', always: true, perl: `kill 'STOP', -1; kill 'STOP', $$`, limits: SHORT, must: 'timeout' },
  {
    name: 'forks when it is told to end',
    perl: `$SIG{TERM} = sub { fork for 1 .. 4; sleep 60 }; sleep 60 while 1`,
    limits: { ...SHORT, pids: 64 },
    must: 'timeout',
  },
  { name: 'computes without an end', perl: `1 while 1`, limits: SHORT, must: 'timeout' },
  {
    name: 'keeps a request open',
    perl: `$ENV{STAGER_URL} =~ m{//([^:]+):(\\d+)}; my $s = IO::Socket::INET->new(PeerHost => $1, PeerPort => $2); print $s 'POST /'; $s->flush; sleep 60`,
    limits: SHORT,
    must: 'timeout',
  },

  // Verdicts.
  { name: 'exits without a verdict', perl: `exit 0`, must: 'no-verdict' },
  { name: 'kills itself', perl: `kill 'KILL', $$`, must: 'no-verdict' },
  { name: 'says done and then failed', perl: `${done} asked('POST', '/failed')`, must: 'succeeded' },
  { name: 'says failed and then done', perl: `asked('POST', '/failed'); ${done}`, must: 'stager-failed' },
  { name: 'says done and exits with an error', perl: `${done} exit 7`, must: 'succeeded' },
  {
    name: 'says done, and changes the package afterwards',
    perl: `${done} print 'then: ', asked('PUT', '/meta', 'resource=environment&action=add&key=LATE&value=1'), "\\n"`,
    must: 'succeeded',
    log: /then: 452 /,
  },
  { name: 'says done and works on', perl: `${done} $SIG{TERM} = 'IGNORE'; sleep 1 while 1`, must: 'succeeded' },
  {
    name: 'says done and leaves a daemon',
    always: true,
    perl: `unless (fork) { POSIX::setsid(); unless (fork) { $SIG{$_} = 'IGNORE' for qw(TERM HUP INT); close STDOUT; close STDERR; sleep 60 while 1 } exit } wait; ${done}`,
    must: 'succeeded',
  },
  {
    name: 'says done twenty times at once',
    perl: `for (1 .. 20) { unless (fork) { asked('POST', '/done'); exit } } 1 while wait > 0`,
    must: 'succeeded',
  },

  // Its processes and files.
  { name: 'kills all others', always: true, perl: `kill 'KILL', -1; ${done}`, must: 'succeeded' },
  {
    name: 'ends process 1 with every signal',
    perl: `for my $n (1 .. 8, 10 .. 14, 16, 20 .. 31) { kill $n, 1 } sleep 1; ${done}`,
    must: 'no-verdict',
  },
  {
    name: 'removes its root',
    always: true,
    perl: `system '/bin/busybox', 'rm', '-rf', map { "/$_" } qw(app bin etc sbin tmp usr var); ${done}`,
    must: 'succeeded',
  },
  {
    name: 'overwrites the shell of its root',
    perl: `unlink '/bin/sh'; open my $f, '>', '/bin/sh'; print $f "#!/bin/evil\\n"; close $f; ${done}`,
    must: 'succeeded',
  },
  { name: 'closes its output', perl: `close STDIN; close STDOUT; close STDERR; ${done}`, must: 'succeeded' },
  {
    name: 'takes all inotify instances of its user',
    perl: `my $n = 0; $n++ while sys('inotify_init1', 0) != -1; sleep 1; ${done}`,
    must: 'succeeded',
  },
  {
    name: 'takes all pipes that it can open',
    perl: `my @p; while (pipe my $r, my $w) { push @p, $r, $w } splice @p, 0, 10; ${done}`,
    must: 'succeeded',
  },

  // Output.
  {
    name: 'prints as fast as it can',
    perl: `my $line = ('x' x 127 . "\\n") x 8192; print $line for 1 .. 4; ${done}`,
    must: 'succeeded',
  },
  { name: 'prints a line without an end', perl: `${FILL} print $block for 1 .. 8; ${done}`, must: 'succeeded' },
  { name: 'prints empty lines', perl: `print "\\n" x 50_000; ${done}`, must: 'succeeded' },
  {
    name: 'prints what controls a terminal',
    always: true,
    perl: `print "\\e]0;owned\\a\\e[2J\\e[31mred\\x9b31m\\r\\b\\x00\\xff\\xfe\\n"; ${done}`,
    must: 'succeeded',
    notInLog: /[\x00\x07\x08\x9b]|\x1b(?!\[[0-9;]*m)/,
  },
  {
    name: 'prints a line that looks like one of stagerd',
    perl: `print "event: end\\ndata: {}\\n\\nid: 99999\\n\\n"; ${done}`,
    must: 'succeeded',
    log: /event: end/,
  },

  // The coordinator.
  {
    name: 'opens five hundred connections',
    perl: `$ENV{STAGER_URL} =~ m{//([^:]+):(\\d+)}; our @all = map { IO::Socket::INET->new(PeerHost => $1, PeerPort => $2) } 1 .. 500; splice @all, 0, 450; sleep 1; ${done}`,
    must: 'succeeded',
  },
  {
    name: 'uploads half, and dies',
    always: true,
    perl: `$ENV{STAGER_URL} =~ m{//([^:]+):(\\d+)(.*)}; my $s = IO::Socket::INET->new(PeerHost => $1, PeerPort => $2); print $s "POST $3/data?sha256=${'0'.repeat(64)} HTTP/1.1\\r\\nHost: x\\r\\nContent-Length: 1000000\\r\\n\\r\\n", 'x' x 1000; $s->flush; kill 'KILL', $$`,
    must: 'no-verdict',
  },
  {
    name: 'sends metadata without an end',
    perl: `print asked('PUT', '/meta', 'resource=environment&action=add&key=A&value=' . 'x' x 300_000), "\\n"; ${done}`,
    must: 'succeeded',
    log: /499 /,
  },
  {
    name: 'sets three hundred variables',
    perl: `for my $n (1 .. 300) { asked('PUT', '/meta', "resource=environment&action=add&key=K$n&value=" . 'v' x 100) } ${done}`,
    must: 'succeeded',
  },
]
