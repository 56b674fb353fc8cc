import type { RunEnding, RunningProgram, RunOutput, RunRequest, DropletRunRequest } from '../../../daemon/runs/run.js'
import type { Runs } from '../../../daemon/runs/runs.js'

/** One program, controlled by the test. */
export class FakeRuns implements Pick<Runs, 'start'> {
  request: Partial<RunRequest> | DropletRunRequest | undefined
  output: RunOutput['output'] = () => Promise.reject(new Error('nothing runs'))
  readonly id = '7c9e6679-7425-40de-944b-e07fc1f90ae7'
  stops = 0
  input = ''
  /** Called before `start` resolves. */
  starting: (hooks: RunOutput) => void | Promise<void> = () => undefined
  end: (ending: RunEnding) => void = () => undefined

  async start(request: RunRequest | DropletRunRequest, hooks: RunOutput): Promise<RunningProgram> {
    this.request = request
    this.output = (stream, chunk) => hooks.output(stream, chunk)
    const ended = new Promise<RunEnding>((resolve) => (this.end = resolve))
    await this.starting(hooks)
    return {
      id: this.id,
      namespace: '/acme',
      ports: request.publish.map(({ hostPort }) => hostPort || 40_000),
      ended,
      input: async (chunks) => {
        for await (const chunk of chunks) this.input += Buffer.from(chunk).toString()
      },
      stop: () => {
        this.stops += 1
        this.end({ reason: 'stopped' })
      },
    }
  }
}
