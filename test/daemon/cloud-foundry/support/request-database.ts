import path from 'node:path'
import type { StagingRequests } from '../../../../daemon/cloud-foundry/staging-requests.js'
import type { TaskAnswer } from '../../../../daemon/cloud-foundry/task-runner.js'
import { SqliteStore } from '../../../../daemon/store/sqlite/store.js'
import type { Task } from '../../../../daemon/store/task-repository.js'
import { FakeBus, FakeServer } from '../../../support/fake-bus.js'
import { temporaryDirectory } from '../../store/temporary-directory.js'

/** Of a test of staging requests: a database, and a message bus whose requester listens at `inbox`. */
export interface RequestDatabase {
  readonly directory: Awaited<ReturnType<typeof temporaryDirectory>>
  readonly server: FakeServer
  readonly store: SqliteStore
  /** That the requester has got. */
  readonly answers: TaskAnswer[]
  /** What `close` is to stop. */
  readonly running: StagingRequests[]
  /** No request comes any more to those that have subscribed: all that is heard of a process that was killed. */
  cutOff(): void
  close(): Promise<void>
}

export async function openRequestDatabase(): Promise<RequestDatabase> {
  const directory = await temporaryDirectory()
  const server = new FakeServer()
  const store = SqliteStore.open(path.join(directory.path, 'stagerd.db'))
  const answers: TaskAnswer[] = []
  const running: StagingRequests[] = []
  new FakeBus(server).subscribe('inbox', 'requester', ({ data }) => {
    answers.push(JSON.parse(Buffer.from(data).toString()) as TaskAnswer)
  })
  return {
    ...{ directory, server, store, answers, running },
    cutOff() {
      for (const member of server.members) if (member.subject === 'staging') server.members.delete(member)
    },
    async close() {
      await Promise.all(running.map((one) => one.stop()))
      store.close()
      await directory.remove()
    },
  }
}

/** A task that has been done. */
export const done = (task: Task): Promise<TaskAnswer> => Promise.resolve({ task_id: task.id, task_log: 'Done!\n' })
