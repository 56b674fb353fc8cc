import type { Readable } from 'node:stream'
import { whenAborted } from '../../base/when-aborted.js'
import type { PublishedPort } from '../../isolation/launch-plan.js'
import type { RunDraft } from '../documents/run.js'
import type { DropletRunRequest, RunRequest } from '../runs/run.js'
import type { RunningPrograms } from '../runs/running-programs.js'
import type { Runs } from '../runs/runs.js'
import { RunEventStream } from './run-event-stream.js'

export interface FollowedRunParts {
  readonly runs: Pick<Runs, 'start'>
  readonly running: RunningPrograms
  /** UUID of this node, which alone knows the run. */
  readonly self: string
}

/**
 * Starts a run, which lasts as long as its client, and returns its events. Meanwhile other requests find it in `running`.
 *
 * @param signal aborted when the client is gone. Throws what `Runs.start` throws.
 */
export async function followedRun(
  { runs, running, self }: FollowedRunParts,
  request: RunRequest | DropletRunRequest,
  signal: AbortSignal,
): Promise<Readable> {
  const events = new RunEventStream(signal, self)
  const program = await runs.start(request, events, signal)
  running.add(program, 'input' in request && request.input)
  whenAborted(signal, () => program.stop())
  void events.follow(program).finally(() => running.delete(program))
  return events.body
}

export function parsePublish(publish: RunDraft['publish'] = []): PublishedPort[] {
  return publish.map(({ container_port, host_port }) => ({ containerPort: container_port, hostPort: host_port }))
}
