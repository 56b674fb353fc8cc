import { describe, expect, it } from 'vitest'
import profile from '../../../isolation/engine/seccomp.json' with { type: 'json' }
import { SECCOMP_PROFILE } from '../../../isolation/engine/seccomp-profile.js'

interface Rule {
  readonly names: readonly string[]
  readonly action: string
  readonly errnoRet?: number
  readonly args?: readonly {
    readonly index: number
    readonly value: number
    readonly valueTwo?: number
    readonly op: string
  }[]
}
const RULES: readonly Rule[] = profile.syscalls

const allowed = RULES.filter(({ action }) => action === 'SCMP_ACT_ALLOW')
const refused = RULES.filter(({ action }) => action === 'SCMP_ACT_ERRNO')
const namesOf = (rules: readonly Rule[]) => [...new Set(rules.flatMap(({ names }) => names))].toSorted()
const without = (rules: readonly Rule[]) => rules.filter(({ args }) => args === undefined)

/**
 * The system calls that were looked at one by one, and may be made. Before one is added: which program needs it, what has
 * been wrong with it in kernels, and can its arguments be bounded?
 */
const REVIEWED = `
  accept accept4 access alarm arch_prctl bind brk capget capset chdir chmod chown chroot clock_getres
  clock_gettime clock_nanosleep clone close close_range connect copy_file_range creat dup dup2 dup3 epoll_create
  epoll_create1 epoll_ctl epoll_pwait epoll_pwait2 epoll_wait eventfd eventfd2 execve execveat exit exit_group
  faccessat faccessat2 fadvise64 fallocate fchdir fchmod fchmodat fchmodat2 fchown fchownat fcntl fdatasync
  fgetxattr flistxattr flock fork fremovexattr fsetxattr fstat fstatfs fsync ftruncate futex futimesat
  get_robust_list getcpu getcwd getdents getdents64 getegid geteuid getgid getgroups getitimer getpeername getpgid
  getpgrp getpid getppid getpriority getrandom getresgid getresuid getrlimit getrusage getsid getsockname
  getsockopt gettid gettimeofday getuid getxattr inotify_add_watch inotify_init inotify_init1 inotify_rm_watch
  io_cancel io_destroy io_getevents io_pgetevents io_setup io_submit ioctl ioprio_get ioprio_set kill
  landlock_add_rule landlock_create_ruleset landlock_restrict_self lchown lgetxattr link linkat listen listxattr
  llistxattr lremovexattr lseek lsetxattr lstat madvise map_shadow_stack membarrier memfd_create mincore mkdir
  mkdirat mknod mknodat mlock mlock2 mlockall mmap mprotect mq_getsetattr mq_notify mq_open mq_timedreceive
  mq_timedsend mq_unlink mremap mseal msgctl msgget msgrcv msgsnd msync munlock munlockall munmap nanosleep
  newfstatat open openat openat2 pause personality pidfd_open pidfd_send_signal pipe pipe2 pkey_alloc pkey_free
  pkey_mprotect poll ppoll prctl pread64 preadv preadv2 prlimit64 pselect6 pwrite64 pwritev pwritev2 read
  readahead readlink readlinkat readv recvfrom recvmmsg recvmsg removexattr rename renameat renameat2
  restart_syscall rmdir rseq rt_sigaction rt_sigpending rt_sigprocmask rt_sigqueueinfo rt_sigreturn rt_sigsuspend
  rt_sigtimedwait rt_tgsigqueueinfo sched_get_priority_max sched_get_priority_min sched_getaffinity sched_getattr
  sched_getparam sched_getscheduler sched_rr_get_interval sched_setaffinity sched_setattr sched_setparam
  sched_setscheduler sched_yield seccomp select semctl semget semop semtimedop sendfile sendmmsg sendmsg sendto
  set_robust_list set_tid_address setfsgid setfsuid setgid setgroups setitimer setpgid setpriority setregid
  setresgid setresuid setreuid setrlimit setsid setsockopt setuid setxattr shmat shmctl shmdt shmget shutdown
  sigaltstack signalfd signalfd4 socket socketpair splice stat statfs statx symlink symlinkat sync sync_file_range
  sync_file_range2 syncfs sysinfo tee tgkill time timer_create timer_delete timer_getoverrun timer_gettime
  timer_settime timerfd_create timerfd_gettime timerfd_settime times tkill truncate umask uname unlink unlinkat
  utime utimensat utimes vfork wait4 waitid write writev
`

/** What 32-bit programs call instead of some of these, with other numbers or arguments. */
const REVIEWED_32 = `
  _llseek _newselect chown32 clock_getres_time64 clock_gettime64 clock_nanosleep_time64 fadvise64_64 fchown32
  fcntl64 fstat64 fstatat64 fstatfs64 ftruncate64 futex_time64 getegid32 geteuid32 getgid32 getgroups32
  getresgid32 getresuid32 getuid32 io_pgetevents_time64 lchown32 lstat64 mmap2 mq_timedreceive_time64
  mq_timedsend_time64 ppoll_time64 pselect6_time64 recvmmsg_time64 rt_sigtimedwait_time64
  sched_rr_get_interval_time64 semtimedop_time64 sendfile64 set_thread_area setfsgid32 setfsuid32 setgid32
  setgroups32 setregid32 setresgid32 setresuid32 setreuid32 setuid32 sigaction sigprocmask sigreturn stat64
  statfs64 timer_gettime64 timer_settime64 timerfd_gettime64 timerfd_settime64 truncate64 ugetrlimit
  utimensat_time64 waitpid
`

/** What a program never needs to build or to serve, and what kernels were broken into by. */
const NEVER = `
  io_uring_setup io_uring_enter io_uring_register userfaultfd bpf perf_event_open add_key request_key keyctl unshare setns clone3
  mount umount2 pivot_root fsopen fsconfig fsmount fspick open_tree open_tree_attr move_mount mount_setattr kexec_load
  kexec_file_load init_module finit_module delete_module ptrace process_vm_readv process_vm_writev process_madvise kcmp
  pidfd_getfd name_to_handle_at open_by_handle_at quotactl quotactl_fd swapon swapoff reboot acct syslog iopl ioperm
  modify_ldt vmsplice move_pages migrate_pages mbind memfd_secret fanotify_init lookup_dcookie uselib ustat sysfs
  settimeofday clock_settime clock_adjtime adjtimex sethostname setdomainname remap_file_pages nfsservctl
  socketcall umount stime clock_settime64 clock_adjtime64 vm86 vm86old bdflush
`

const words = (text: string) => text.trim().split(/\s+/).toSorted()

describe('the seccomp profile', () => {
  it('allows what was reviewed, and nothing else', () => {
    expect(namesOf(allowed)).toEqual(words(REVIEWED + REVIEWED_32))
  })

  it('allows nothing that is never needed, not even with some arguments', () => {
    expect(namesOf(allowed).filter((name) => words(NEVER).includes(name))).toEqual([])
    expect(words(NEVER).filter((name) => !namesOf(refused).includes(name))).toEqual([])
  })

  it('says of each system call one thing, or one thing for each kind of arguments', () => {
    const plain = without(RULES).flatMap(({ names }) => names)
    expect(plain.filter((name, index) => plain.indexOf(name) !== index)).toEqual([])
    const bounded = namesOf(RULES.filter(({ args }) => args !== undefined))
    expect(bounded).toEqual(['clone', 'personality', 'socket', 'socketpair'])
    expect(plain.filter((name) => bounded.includes(name))).toEqual([])
  })

  it('answers ENOSYS to what is newer than itself, and to clone3, without which glibc has clone', () => {
    expect(profile).toMatchObject({ defaultAction: 'SCMP_ACT_ERRNO', defaultErrnoRet: 38 })
    expect(RULES.find(({ names }) => names.includes('clone3'))).toMatchObject({
      action: 'SCMP_ACT_ERRNO',
      errnoRet: 38,
    })
  })

  it('never leaves the answer of a refusal to the Engine', () => {
    expect(refused.filter(({ errnoRet }) => errnoRet === undefined)).toEqual([])
    expect(RULES.length).toBe(allowed.length + refused.length)
  })

  it('knows native system calls, and those of i386 on x86_64: not those of x32', () => {
    expect(profile.archMap).toEqual([
      { architecture: 'SCMP_ARCH_X86_64', subArchitectures: ['SCMP_ARCH_X86'] },
      { architecture: 'SCMP_ARCH_AARCH64', subArchitectures: [] },
    ])
  })

  it('refuses the call of i386 that hides the family of a socket, before all rules about sockets', () => {
    // libseccomp makes two rules of each that is about `socket`, `connect` and the like: the other one is for `socketcall`,
    // and has no family. One that refuses all of `socketcall` leaves no room for it. runc drops a rule with the default
    // answer, which is ENOSYS, or EPERM on Docker 20.10: so the answer is neither. Otherwise no container starts.
    expect(RULES[0]).toMatchObject({ names: ['socketcall'], action: 'SCMP_ACT_ERRNO', errnoRet: 97 })
    expect(RULES[0]?.args).toBeUndefined()
    expect(RULES.filter(({ names }) => names.includes('socketcall'))).toHaveLength(1)
  })

  it('compares arguments so that no register that is wider than the argument of the kernel gets through', () => {
    const conditions = allowed.flatMap(({ args = [] }) => args)
    // "Not equal" would be true for a refused value with a bit set above the 32 that the kernel reads.
    expect([...new Set(conditions.map(({ op }) => op))].toSorted()).toEqual(['SCMP_CMP_EQ', 'SCMP_CMP_MASKED_EQ'])
  })

  it('has an answer for each family of sockets, and for each flag of a new namespace', () => {
    const families = (name: string) =>
      RULES.filter(({ names }) => names.includes(name)).flatMap(({ args = [] }) => args[0] ?? [])
    for (const name of ['socket', 'socketpair']) {
      const answers = (family: number) =>
        families(name).some(({ op, value }) => (op === 'SCMP_CMP_EQ' ? family === value : family > value))
      expect(Array.from({ length: 64 }, (_, family) => family).filter((family) => !answers(family))).toEqual([])
    }
    const [plain, ...flags] = families('clone')
    expect(flags.map(({ value }) => value).reduce((all, one) => all | one)).toBe(plain?.value)
    expect(flags.filter(({ value, valueTwo }) => value !== valueTwo)).toEqual([])
    expect(plain).toMatchObject({ op: 'SCMP_CMP_MASKED_EQ', valueTwo: 0, value: 0x7e020000 })
  })

  it('is given to the Engine as one line of JSON', () => {
    expect(JSON.parse(SECCOMP_PROFILE)).toEqual(profile)
    expect(SECCOMP_PROFILE).not.toContain('\n')
  })
})
