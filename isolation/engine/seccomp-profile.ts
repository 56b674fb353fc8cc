import profile from './seccomp.json' with { type: 'json' }

/**
 * Which system calls the programs of containers may make, in the format of Docker: docs/security.md says what it takes
 * away, and decision 68 why.
 *
 * It lists every system call that Linux had when it was written. Docker 20.10 does not know `defaultErrnoRet` and answers
 * EPERM to what is not listed; runc then answers ENOSYS to all that are newer than the newest one in the list.
 */
export const SECCOMP_PROFILE = JSON.stringify(profile)

/** How a program ends that makes a system call of an architecture that is not in the profile: by SIGSYS. */
export const ENDED_BY_SECCOMP = 128 + 31
