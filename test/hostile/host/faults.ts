/** What happens to a host, what must happen then, and the test that does it. The longer tests are no copies of their cases. */
export interface HostFault {
  readonly fault: string
  readonly must: string
  /** A file below test/, and the title of a test in it, or a part of one. */
  readonly shownBy: readonly (readonly [file: string, title: string])[]
}

const CRASH = 'engine/system/crash.test.ts'
const KILLED_AT_EACH_STEP =
  'kill -9 when a staging is queued, at each step of its launch, in the stager and at its end: it resumes each time'
const ENGINE_CRASH = 'engine/system/engine-crash.test.ts'

export const HOST_FAULTS: readonly HostFault[] = [
  {
    fault: 'the Engine is killed during a launch',
    must: 'the stager is launched again, and nothing is left',
    shownBy: [
      [ENGINE_CRASH, 'SIGKILL of the Engine during a launch'],
      ['engine/docker/engine-lost.test.ts', 'ends its launches with an error, and nothing is left'],
      ['engine/launch/nothing-open.test.ts', 'leaves nothing open when the Engine is killed'],
    ],
  },
  {
    fault: 'the Engine is killed during a snapshot',
    must: 'the stager is launched again, whatever it makes of the error',
    shownBy: [[ENGINE_CRASH, 'SIGKILL of the Engine while a stager takes snapshots']],
  },
  {
    fault: 'the Engine is stopped, and ends its containers',
    must: 'the stager is launched again, whatever its last words',
    shownBy: [
      [ENGINE_CRASH, 'a stop of the Engine, which ends its containers'],
      ['machine/docker-service.test.ts', 'with one staging that runs and one that is queued'],
    ],
  },
  {
    fault: 'the Engine is down for a time',
    must: 'the daemon runs, says so, and stages when the Engine is back',
    shownBy: [
      [ENGINE_CRASH, 'an Engine that is down'],
      ['daemon/staging/interruptions.test.ts', 'wait until the Engine is available'],
    ],
  },
  {
    fault: 'the Engine is slow, or hangs',
    must: 'a request ends at its deadline or with its caller, and nothing waits for it at the end',
    shownBy: [
      ['isolation/engine/engine-errors.test.ts', 'ends at its deadline, for the Engine too'],
      ['isolation/engine/engine-errors.test.ts', 'ends at once when its caller is cancelled'],
      ['isolation/engine/engine-lists.test.ts', 'that never comes is an error'],
      ['isolation/engine/engine-connections.test.ts', 'a question whether an Engine answers that hangs'],
      ['daemon/staging/janitor.test.ts', 'does not wait for an Engine that hangs when the daemon ends'],
    ],
  },
  {
    fault: 'the Engine lies: a container that it takes for running has ended',
    must: 'its launch ends',
    shownBy: [
      ['isolation/engine/unnoticed-end.test.ts', 'was not noticed by an Engine that takes the container for running'],
    ],
  },
  {
    fault: 'the Engine lies: what it lists is gone when it is asked for',
    must: 'launches, sweeps and collections of garbage go on',
    shownBy: [
      ['isolation/engine/engine-lists.test.ts', 'does not fail a launch: its root image is loaded'],
      ['isolation/engine/engine-lists.test.ts', 'does not keep a sweep from removing what is dead'],
      ['isolation/engine/engine-lists.test.ts', 'does not fail a collection of garbage'],
    ],
  },
  {
    fault: 'the Engine lies: it answers what is cut off, unreadable or cannot be',
    must: 'the launch is lost and its stager launched again, or the staging fails with the cause infrastructure; /healthz is as fast as before',
    shownBy: [
      ['hostile/host/engine-lies.test.ts', 'fails, and says so, when it answers $lie'],
      ['hostile/engine/lying-engine.test.ts', 'an Engine that $lie'],
      ['hostile/engine/lying-engine.test.ts', 'has nothing lost, and nothing left, when it is honest again'],
    ],
  },
  {
    fault: 'the Engine lies: it lists what belongs to others',
    must: 'nothing of others is removed',
    shownBy: [
      ['isolation/engine/engine-lists.test.ts', 'has nothing of other nodes removed by a sweep'],
      ['isolation/engine/engine-lists.test.ts', 'has no image of others collected as garbage'],
    ],
  },
  {
    fault: 'the Engine loses launches again and again',
    must: 'the staging fails with the cause infrastructure',
    shownBy: [['daemon/staging/interruptions.test.ts', 'fail a staging whose launches are lost repeatedly']],
  },
  {
    fault: 'the daemon is killed, at every step of a launch',
    must: 'the staging resumes, its result is that without a crash, and nothing is left',
    shownBy: [
      [CRASH, KILLED_AT_EACH_STEP],
      ['engine/system/stager-cache-crash.test.ts', 'the result is that without a cache'],
      ['daemon/store/sqlite-durability.test.ts', 'keeps everything that was acknowledged when the process is killed'],
      ['daemon/store/directory-blob-store.test.ts', 'removes at the start what an interrupted write left behind'],
    ],
  },
  {
    fault: 'the daemon and the Engine are killed',
    must: 'the staging resumes when both are back',
    shownBy: [[ENGINE_CRASH, 'SIGKILL of both']],
  },
  {
    fault: 'the firewall is flushed',
    must: 'its rules are back at once, or the launch ends',
    shownBy: [
      ['engine/network/network-isolation.test.ts', 'is closed again shortly after its firewall rules are flushed'],
      ['engine/network/network-isolation.test.ts', 'is ended when its firewall cannot be checked'],
      ['engine/network/network-isolation.test.ts', 'leaves no rule after one of its rules was flushed'],
      ['isolation/network/firewall-guard.test.ts', 'tolerates some failures, and then reports that the rules are lost'],
    ],
  },
  {
    fault: 'the clock jumps',
    must: 'grace periods and ages stay what they are, nothing acknowledged is lost, and the daemon goes on',
    shownBy: [
      ['daemon/garbage/clock-jump.test.ts', 'an upload has its grace period, and an old one goes after it'],
      ['hostile/host/clock.test.ts', 'no upload within its grace period is lost'],
      ['hostile/host/clock.test.ts', 'the control API goes on'],
    ],
  },
  {
    fault: 'descriptors are exhausted',
    must: 'what cannot be stored is refused, what was acknowledged is kept, and the daemon goes on afterwards',
    shownBy: [
      ['hostile/host/descriptors.test.ts', 'without descriptors, the control API refuses'],
      ['hostile/host/descriptors.test.ts', 'without descriptors, the Stager API accepts nobody'],
    ],
  },
  {
    fault: 'memory is exhausted by a stager',
    must: 'its launch ends with the cause out-of-memory, and no other',
    shownBy: [
      ['engine/system/before-the-verdict.test.ts', 'a stager that is over a limit is never ready'],
      ['hostile/engine/endings.ts', 'takes all memory by files in /dev/shm'],
    ],
  },
  {
    fault: 'memory is exhausted on the host, and the kernel kills the daemon',
    must: 'as after any kill: nothing acknowledged is lost, stagings resume, and nothing is left',
    shownBy: [[CRASH, KILLED_AT_EACH_STEP]],
  },
  {
    fault: 'the disk is full',
    must: 'nothing of what could not be written is seen, and what was written is kept',
    shownBy: [
      ['daemon/store/sqlite-durability.test.ts', 'keeps nothing of a transaction for which the disk is too full'],
      ['daemon/store/directory-blob-store.test.ts', 'reports that the disk is full'],
    ],
  },
  {
    fault: 'the database is locked by another process',
    must: 'a change is refused, and none is half made',
    shownBy: [['daemon/store/sqlite-durability.test.ts', 'rejects when another process has locked it']],
  },
]
