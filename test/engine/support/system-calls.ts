import { constants } from 'node:os'

const { EPERM, ENOSYS, EAFNOSUPPORT, EPROTONOSUPPORT } = constants.errno

/** Numbers of the system calls that are tried: of x86_64, and of aarch64. From 424 on, both have the same. */
const NUMBERS: Readonly<Record<string, readonly [x64: number, arm64: number]>> = {
  socket: [41, 198],
  socketpair: [53, 199],
  clone: [56, 220],
  ptrace: [101, 117],
  syslog: [103, 116],
  personality: [135, 92],
  mount: [165, 40],
  umount2: [166, 39],
  swapon: [167, 224],
  reboot: [169, 142],
  sethostname: [170, 161],
  init_module: [175, 105],
  quotactl: [179, 60],
  clock_settime: [227, 112],
  mbind: [237, 235],
  kexec_load: [246, 104],
  add_key: [248, 217],
  request_key: [249, 218],
  keyctl: [250, 219],
  unshare: [272, 97],
  vmsplice: [278, 75],
  move_pages: [279, 239],
  perf_event_open: [298, 241],
  fanotify_init: [300, 262],
  name_to_handle_at: [303, 264],
  open_by_handle_at: [304, 265],
  setns: [308, 268],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  kcmp: [312, 272],
  finit_module: [313, 273],
  bpf: [321, 280],
  userfaultfd: [323, 282],
  io_uring_setup: [425, 425],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  open_tree: [428, 428],
  move_mount: [429, 429],
  fsopen: [430, 430],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fspick: [433, 433],
  pidfd_open: [434, 434],
  clone3: [435, 435],
  pidfd_getfd: [438, 438],
  process_madvise: [440, 440],
  mount_setattr: [442, 442],
  memfd_secret: [447, 447],
  statmount: [457, 457],
  lsm_list_modules: [461, 461],
  'one that no kernel has yet': [999, 999],
}

export interface Attempt {
  readonly call: string
  readonly args: readonly number[]
  /** What it must answer: 0 where it succeeds. */
  readonly errno: number | readonly number[]
  /** What the arguments mean. */
  readonly as?: string
}

const NEW_NAMESPACES = {
  mnt: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  user: 0x10000000,
  pid: 0x20000000,
  net: 0x40000000,
}
const SIGCHLD = 17
/** A 64-bit register holds more than an `int`: a filter that compares all of it may see another family than the kernel. */
const ABOVE_32_BITS = 2 ** 32

const sockets = (families: Readonly<Record<string, number>>, errno: number): Attempt[] =>
  Object.entries(families).map(([as, family]) => ({ call: 'socket', args: [family, 3, 0], errno, as }))

const refused = (errno: number, calls: string): Attempt[] =>
  calls.split(' ').map((call) => ({ call, args: [0, 0, 0], errno }))

/** Harmless where they succeed. */
export const ATTEMPTS: readonly Attempt[] = [
  ...[1, 2, 10].map((family) => ({ call: 'socket', args: [family, 2, 0], errno: 0, as: `family ${family}` })),
  { call: 'socket', args: [16, 3, 0], errno: 0, as: 'NETLINK_ROUTE' },
  { call: 'socket', args: [16, 3, 9], errno: EPROTONOSUPPORT, as: 'NETLINK_AUDIT' },
  { call: 'socket', args: [16, 3, 16], errno: EPROTONOSUPPORT, as: 'NETLINK_GENERIC' },
  { call: 'socket', args: [16, 3, 12], errno: EPROTONOSUPPORT, as: 'NETLINK_NETFILTER' },
  ...sockets({ AF_UNSPEC: 0, AF_X25: 9, AF_KEY: 15, AF_PACKET: 17, AF_TIPC: 30, AF_BLUETOOTH: 31 }, EAFNOSUPPORT),
  ...sockets({ AF_ALG: 38, AF_VSOCK: 40, AF_XDP: 44 }, EAFNOSUPPORT),
  ...sockets({ 'AF_VSOCK in the lower half': 40 + ABOVE_32_BITS }, EAFNOSUPPORT),
  ...sockets({ 'AF_ALG in the lower half': 38 + ABOVE_32_BITS }, EAFNOSUPPORT),
  { call: 'socketpair', args: [30, 1, 0], errno: EAFNOSUPPORT, as: 'AF_TIPC' },
  ...Object.entries(NEW_NAMESPACES).flatMap(([as, flag]): Attempt[] => [
    { call: 'clone', args: [flag + SIGCHLD, 0, 0], errno: EPERM, as },
    { call: 'clone', args: [flag + SIGCHLD + ABOVE_32_BITS, 0, 0], errno: EPERM, as: `${as}, in the lower half` },
    { call: 'unshare', args: [flag], errno: EPERM, as },
  ]),
  { call: 'personality', args: [0xffffffff], errno: 0, as: 'a question' },
  // The default of the Engine: Docker 20.10 does not know that of the profile.
  { call: 'personality', args: [0x400000], errno: [ENOSYS, EPERM], as: 'READ_IMPLIES_EXEC' },
  ...refused(EPERM, 'mount umount2 swapon reboot sethostname syslog init_module finit_module quotactl clock_settime'),
  ...refused(EPERM, 'kexec_load bpf setns fanotify_init open_by_handle_at'),
  ...refused(EPERM, 'ptrace process_vm_readv process_vm_writev kcmp pidfd_getfd'),
  ...refused(ENOSYS, 'clone3 io_uring_setup io_uring_enter io_uring_register userfaultfd perf_event_open'),
  ...refused(ENOSYS, 'add_key request_key keyctl memfd_secret vmsplice process_madvise move_pages mbind'),
  ...refused(ENOSYS, 'fsopen fsconfig fsmount fspick open_tree move_mount mount_setattr name_to_handle_at statmount'),
  ...refused(ENOSYS, 'lsm_list_modules'),
  { call: 'one that no kernel has yet', args: [], errno: ENOSYS },
]

/** The command of a perl that makes the attempts, and prints the number of each and its errno. */
export function attemptsInPerl(attempts: readonly Attempt[]): string {
  const at = process.arch === 'arm64' ? 1 : 0
  const calls = attempts.map(({ call, args }) => [NUMBERS[call]?.[at], ...args].join(','))
  // A perl of perl-base has no module for that; what looks like a number is passed as one.
  const program =
    'for my $i (0 .. $#ARGV) { my ($nr, @a) = map { $_ + 0 } split /,/, $ARGV[$i]; $! = 0; my $r = syscall($nr, @a); print "$i ", $r == -1 ? $! + 0 : 0, "\\n" }'
  return `perl -e '${program}' ${calls.join(' ')}`
}

/** By the words of the attempt: what the program printed. */
export function answersOf(attempts: readonly Attempt[], printed: string): Map<string, number> {
  const lines = [...printed.matchAll(/^(\d+) (\d+)$/gm)]
  return new Map(lines.map(([, index, errno]) => [wordsOf(attempts[Number(index)]), Number(errno)]))
}

export function wordsOf(attempt: Pick<Attempt, 'call' | 'as'> | undefined): string {
  return [attempt?.call, ...(attempt?.as === undefined ? [] : [`(${attempt.as})`])].join(' ')
}
