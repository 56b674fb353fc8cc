import { constants } from 'node:os'
import type { Attempt } from './system-calls.js'

const { EPERM, ENOSYS, EAFNOSUPPORT, EPROTONOSUPPORT, EFAULT } = constants.errno

/** Numbers of the system calls of i386 that are tried. */
const NUMBERS: Readonly<Record<string, number>> = {
  getpid: 20,
  umount: 22,
  stime: 25,
  ptrace: 26,
  mount: 21,
  umount2: 52,
  sethostname: 74,
  settimeofday: 79,
  uselib: 86,
  swapon: 87,
  ioperm: 101,
  socketcall: 102,
  syslog: 103,
  iopl: 110,
  vm86old: 113,
  ipc: 117,
  clone: 120,
  modify_ldt: 123,
  init_module: 128,
  personality: 136,
  vm86: 166,
  getuid32: 199,
  set_thread_area: 243,
  clock_settime: 264,
  kexec_load: 283,
  add_key: 286,
  request_key: 287,
  keyctl: 288,
  unshare: 310,
  vmsplice: 316,
  perf_event_open: 336,
  name_to_handle_at: 341,
  open_by_handle_at: 342,
  setns: 346,
  process_vm_readv: 347,
  kcmp: 349,
  bpf: 357,
  socket: 359,
  socketpair: 360,
  userfaultfd: 374,
  clock_gettime64: 403,
  clock_settime64: 404,
  futex_time64: 422,
  io_uring_setup: 425,
  io_uring_enter: 426,
  clone3: 435,
  'one that no kernel has yet': 999,
}

export interface Attempt32 extends Omit<Attempt, 'args'> {
  /** A list is written to memory, and its address is the argument. */
  readonly args: readonly (number | readonly number[])[]
}

const SIGCHLD = 17
const NEW_NAMESPACES = { mnt: 0x20000, user: 0x10000000, pid: 0x20000000, net: 0x40000000 }
const FAMILIES = { AF_UNSPEC: 0, AF_PACKET: 17, AF_ALG: 38, AF_VSOCK: 40, AF_XDP: 44 }

const refused = (errno: number, calls: string): Attempt32[] =>
  calls.split(' ').map((call) => ({ call, args: [0, 0, 0], errno }))

/** Harmless where they succeed. */
export const ATTEMPTS_32: readonly Attempt32[] = [
  // What each 32-bit program does: an answer of the kernel is one that the filter has let through.
  { call: 'getpid', args: [], errno: 0 },
  { call: 'getuid32', args: [], errno: 0 },
  { call: 'set_thread_area', args: [0], errno: EFAULT },
  { call: 'clock_gettime64', args: [0, [0, 0, 0, 0]], errno: 0 },
  { call: 'futex_time64', args: [[0], 1, 1, 0], errno: 0, as: 'FUTEX_WAKE' },
  { call: 'ipc', args: [23, 0, 4096, 0o1600], errno: 0, as: 'shmget' },
  ...[1, 2, 10].map((family) => ({ call: 'socket', args: [family, 2, 0], errno: 0, as: `family ${family}` })),
  { call: 'socket', args: [16, 3, 0], errno: 0, as: 'NETLINK_ROUTE' },
  { call: 'socket', args: [16, 3, 16], errno: EPROTONOSUPPORT, as: 'NETLINK_GENERIC' },
  ...Object.entries(FAMILIES).map(([as, family]) => ({
    call: 'socket',
    args: [family, 3, 0],
    errno: EAFNOSUPPORT,
    as,
  })),
  { call: 'socketpair', args: [30, 1, 0, [0, 0]], errno: EAFNOSUPPORT, as: 'AF_TIPC' },
  // The family is in memory. Of the calls behind it, none gets through, whatever else is in the register.
  ...Object.entries({ ...FAMILIES, AF_INET: 2 }).map(([as, family]) => ({
    call: 'socketcall',
    args: [1, [family, 1, 0]],
    errno: EAFNOSUPPORT,
    as: `socket, ${as}`,
  })),
  ...Array.from({ length: 20 }, (_, index) => ({
    call: 'socketcall',
    args: [index + 1, [-1, 0, 0, 0, 0, 0]],
    errno: EAFNOSUPPORT,
    as: `number ${index + 1}`,
  })),
  { call: 'socketcall', args: [8, [40, 1, 0, 0]], errno: EAFNOSUPPORT, as: 'socketpair, AF_VSOCK' },
  { call: 'socketcall', args: [0x10001, [40, 1, 0]], errno: EAFNOSUPPORT, as: 'another number' },
  ...Object.entries(NEW_NAMESPACES).flatMap(([as, flag]): Attempt32[] => [
    { call: 'clone', args: [flag + SIGCHLD, 0, 0], errno: EPERM, as },
    { call: 'unshare', args: [flag], errno: EPERM, as },
  ]),
  { call: 'personality', args: [0xffffffff], errno: 0, as: 'a question' },
  { call: 'personality', args: [0x400000], errno: [ENOSYS, EPERM], as: 'READ_IMPLIES_EXEC' },
  ...refused(EPERM, 'mount umount umount2 swapon sethostname syslog init_module settimeofday stime clock_settime'),
  ...refused(EPERM, 'clock_settime64 kexec_load bpf setns open_by_handle_at ptrace process_vm_readv kcmp ioperm iopl'),
  ...refused(ENOSYS, 'vm86 vm86old modify_ldt uselib clone3 io_uring_setup io_uring_enter userfaultfd perf_event_open'),
  ...refused(ENOSYS, 'add_key request_key keyctl vmsplice name_to_handle_at'),
  { call: 'one that no kernel has yet', args: [], errno: ENOSYS },
]

const MOV = [0xbb, 0xb9, 0xba, 0xbe, 0xbf]
const MOV_EAX = 0xb8
const INT_0X80 = Buffer.from([0xcd, 0x80])
const BASE = 0x400000

const word = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32LE(value >>> 0)
  return bytes
}

/**
 * A program that makes the attempts by `int 0x80`, writes all answers as 32-bit numbers, and ends. Its code is the same for
 * both kinds of program: one of 64 bits can ask the kernel in this way, too.
 */
export function programOf(attempts: readonly Attempt32[], bits: 32 | 64): Buffer {
  const head = bits === 32 ? 84 : 120
  const data: Buffer[] = []
  let dataLength = 0
  const store = (values: readonly number[]) => {
    data.push(...values.map(word))
    dataLength += 4 * values.length
    return dataLength - 4 * values.length
  }
  const answers = store(attempts.map(() => 0))
  // The length of the code does not depend on the addresses in it.
  const codeAt = (dataAt: number) => {
    const call = (number: number, args: Attempt32['args']) =>
      Buffer.concat([
        ...args.map((arg, index) =>
          Buffer.concat([Buffer.from([MOV[index]!]), word(typeof arg === 'number' ? arg : dataAt + addressOf(arg))]),
        ),
        Buffer.from([MOV_EAX]),
        word(number),
        INT_0X80,
      ])
    const toWord = (bytes: Buffer) => Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)])
    const keep = (index: number) => Buffer.concat([Buffer.from('890425', 'hex'), word(dataAt + answers + 4 * index)])
    // Behind it are words.
    const instructions = Buffer.concat([
      ...attempts.flatMap(({ call: name, args }, index) => [call(NUMBERS[name]!, args), keep(index)]),
      call(4, [1, dataAt + answers, 4 * attempts.length]),
      call(1, [0]),
    ])
    return toWord(instructions)
  }
  const addresses = new Map<readonly number[], number>()
  const addressOf = (values: readonly number[]) => {
    const known = addresses.get(values) ?? store(values)
    addresses.set(values, known)
    return known
  }
  const { length } = codeAt(0)
  const code = codeAt(BASE + head + length)
  const content = Buffer.concat([code, ...data])
  return Buffer.concat([bits === 32 ? header32(head + content.length) : header64(head + content.length), content])
}

/** By the words of the attempt: 0, or the errno. @param printed what the program wrote, as `od -A n -v -t d4` shows it */
export function answersOf32(
  attempts: readonly Attempt32[],
  printed: string,
  words: (attempt: Pick<Attempt, 'call' | 'as'>) => string,
): Map<string, number> {
  const numbers = printed.trim().split(/\s+/).map(Number)
  if (numbers.length !== attempts.length) throw new Error(`${attempts.length} attempts, and these answers: ${printed}`)
  const isError = (answer: number) => answer < 0 && answer > -4096
  return new Map(attempts.map((attempt, index) => [words(attempt), isError(numbers[index]!) ? -numbers[index]! : 0]))
}

/** Of an executable with one segment, which can be written and executed. @param size of the whole file */
function header32(size: number): Buffer {
  const head = Buffer.alloc(84)
  head.write('\x7fELF\x01\x01\x01', 'latin1')
  for (const [at, value] of [
    [16, 2],
    [18, 3],
    [40, 52],
    [42, 32],
    [44, 1],
  ] as const)
    head.writeUInt16LE(value, at)
  for (const [at, value] of [
    [20, 1],
    [24, BASE + head.length],
    [28, 52],
    [52, 1],
    [60, BASE],
    [64, BASE],
    [68, size],
    [72, size],
    [76, 7],
    [80, 0x1000],
  ] as const)
    head.writeUInt32LE(value, at)
  return head
}

function header64(size: number): Buffer {
  const head = Buffer.alloc(120)
  head.write('\x7fELF\x02\x01\x01', 'latin1')
  for (const [at, value] of [
    [16, 2],
    [18, 62],
    [52, 64],
    [54, 56],
    [56, 1],
  ] as const)
    head.writeUInt16LE(value, at)
  for (const [at, value] of [
    [20, 1],
    [64, 1],
    [68, 7],
  ] as const)
    head.writeUInt32LE(value, at)
  for (const [at, value] of [
    [24, BASE + head.length],
    [32, 64],
    [80, BASE],
    [88, BASE],
    [96, size],
    [104, size],
    [112, 0x1000],
  ] as const)
    head.writeBigUInt64LE(BigInt(value), at)
  return head
}
