import { BadInput, Fault, NotRunnable, StagerdError, Unavailable, errnoOf, messageOf } from '../../base/errors.js'

/** The Engine answered a request with an error: `engine-error` if it has failed itself, as one does that is waking up. */
export class EngineRefusal extends Fault {
  constructor(
    readonly statusCode: number,
    /** The message of the Engine. */
    readonly reason: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(statusCode >= 500 ? 'engine-error' : 'engine-refused', message, options)
  }
}

/**
 * Waits for an answer of the Engine, and translates errors to ours.
 *
 * For questions, which take moments; `askEngineToWork` is for what the Engine does. A cancelled launch cancels neither: the
 * Engine could still carry it out, and the result would be unknown. A cancelled caller waits for the answer and undoes the
 * result. See `askEngineAtLength` for others.
 *
 * @param what verb and object: "create the network"
 * @param deadlineMs an Engine that has not answered by then counts as down
 * Throws `Unavailable` (`engine-down`, `disk-full`), otherwise `EngineRefusal`.
 */
export async function askEngine<T>(what: string, call: Promise<T>, deadlineMs = 60_000): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Unavailable('engine-down', `The Docker Engine did not ${what} within ${deadlineMs / 1000} s.`))
    }, deadlineMs)
  })
  try {
    return understood(what, await Promise.race([call, late]), isNoError)
  } catch (error) {
    throw engineError(what, error)
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Returns `answer` if it has what its caller reads from it. An Engine that says something else has failed, whatever its
 * status says: throws `EngineRefusal` (`engine-error`).
 *
 * @param what verb and object: "create a container"
 * @param isRight may throw where a part is missing
 */
export function understood<T>(what: string, answer: T, isRight: (answer: T) => boolean): T {
  try {
    if (isRight(answer)) return answer
  } catch {
    // A part that it reads another one from is missing.
  }
  throw new EngineRefusal(
    500,
    'its answer makes no sense',
    `The Docker Engine was asked to ${what}, and its answer makes no sense: ${summary(answer)}; see its log, and whether a proxy answers at its socket.`,
  )
}

/** dockerode passes on as bytes what is no JSON; an answer without a body has no bytes. */
function isNoError(answer: unknown): boolean {
  if (Buffer.isBuffer(answer)) return answer.length === 0
  return !(isPlain(answer) && Object.keys(answer).join() === 'message')
}

function isPlain(value: unknown): value is object {
  return value instanceof Object && Object.getPrototypeOf(value) === Object.prototype
}

/** For the log of a staging. What describes a container can have variables in it that are nobody's business. */
function summary(answer: unknown): string {
  const isText = Buffer.isBuffer(answer)
  if (!isText && isNoError(answer)) return 'a part of it is missing, or cannot be'
  const text = isText ? answer.toString('latin1') : JSON.stringify(answer)
  return JSON.stringify(text.slice(0, 200))
}

/**
 * As `askEngine`, for a request that can take minutes, and whose result is found again or of no use. When `signal` is
 * aborted, this rejects at once with its reason. Then, and after the deadline, the connection is closed, so that the Engine
 * stops working for nobody. An abort also ends a stream with which the Engine has answered.
 *
 * @param call must pass its signal to dockerode
 */
export async function askEngineAtLength<T>(
  what: string,
  call: (signal: AbortSignal) => Promise<T>,
  deadlineMs: number,
  signal: AbortSignal,
): Promise<T> {
  signal.throwIfAborted()
  const late = new AbortController()
  let leave: (() => void) | undefined
  const aborted = new Promise<never>((_, reject) => {
    leave = () => reject(signal.reason as Error)
    signal.addEventListener('abort', leave, { once: true })
  })
  const asked = askEngine(what, call(AbortSignal.any([signal, late.signal])), deadlineMs)
  try {
    return await Promise.race([asked, aborted])
  } catch (error) {
    late.abort()
    asked.catch(() => undefined)
    throw error
  } finally {
    if (leave) signal.removeEventListener('abort', leave)
  }
}

/**
 * As `askEngine`, for a request that the Engine answers with a connection. That belongs to `owner` from the first moment:
 * it is closed when `owner` is aborted, and at the deadline, whether or not the Engine has answered by then. Node does not
 * do that for a connection that has been upgraded.
 *
 * @param call must pass its signal to dockerode
 */
export async function askEngineForConnection<T extends Connection>(
  what: string,
  call: (signal: AbortSignal) => Promise<T>,
  owner: AbortSignal,
  deadlineMs?: number,
): Promise<T> {
  owner.throwIfAborted()
  const late = new AbortController()
  const connected = call(AbortSignal.any([owner, late.signal])).then((connection) => {
    const close = () => connection.destroy()
    owner.addEventListener('abort', close, { once: true })
    connection.once('close', () => {
      owner.removeEventListener('abort', close)
    })
    if (owner.aborted || late.signal.aborted) close()
    return connection
  })
  try {
    return await askEngine(what, connected, deadlineMs)
  } catch (error) {
    late.abort()
    throw error
  }
}

interface Connection {
  destroy(): void
  once(event: 'close', listener: () => void): unknown
}

export function isStatus(error: unknown, statusCode: number): boolean {
  return error instanceof EngineRefusal && error.statusCode === statusCode
}

/** Whether the Engine did not answer. */
export function isEngineDown(error: unknown): error is Unavailable {
  return error instanceof Unavailable && error.code === 'engine-down'
}

/**
 * Whether the Engine did not answer, or has failed itself, as one does that is waking up: after a pause its connections to
 * containerd may be gone, and it answers 500 for a while. Neither says anything about the container.
 */
export function isEngineFailing(error: unknown): error is Unavailable | EngineRefusal {
  return isEngineDown(error) || (error instanceof EngineRefusal && error.code === 'engine-error')
}

const CONNECTION_ERRNOS = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'EACCES', 'EPIPE', 'ETIMEDOUT', 'ENOTFOUND'])

/** Translates an error of dockerode. */
export function engineError(what: string, error: unknown): StagerdError {
  if (error instanceof StagerdError) return error
  const statusCode = statusOf(error)
  const cause = { cause: error }
  if (statusCode === undefined) {
    const errno = errnoOf(error) ?? ''
    // HPE_: what answers does not speak HTTP.
    if (CONNECTION_ERRNOS.has(errno) || errno.startsWith('HPE_'))
      return new Unavailable(
        'engine-down',
        `The Docker Engine does not answer (${messageOf(error)}): start it, or point DOCKER_HOST to one that runs.`,
        cause,
      )
    return new Fault('engine-failed', `Could not ${what}: ${messageOf(error)}.`, cause)
  }
  const reason = reasonOf(error)
  if (/no space left on device|disk quota exceeded/i.test(reason))
    return new Unavailable('disk-full', `Could not ${what}: the Docker Engine's disk is full; free some space.`, cause)
  return new EngineRefusal(statusCode, reason, `The Docker Engine refused to ${what}: ${reason}`, cause)
}

/** Translates an error of a start that the plan is to blame for; returns any other `error` as it is. */
export function startError(
  error: unknown,
  plan: { readonly user: string; readonly workingDirectory: string },
): unknown {
  if (!(error instanceof EngineRefusal)) return error
  const cause = { cause: error }
  if (/unable to find (user|group)|no matching entries in (passwd|group) file/i.test(error.reason))
    return new NotRunnable(
      'unknown-user',
      `The root has no user ${JSON.stringify(plan.user)}: add it to the /etc/passwd of an operating system package, or name another user with --user.`,
      cause,
    )
  if (/exec: "\/bin\/sh"|\/bin\/sh: (no such file|permission denied)/i.test(error.reason))
    return new NotRunnable(
      'no-shell',
      'The root has no /bin/sh that can be run: depend on an operating system package, such as os.linux.',
      cause,
    )
  if (/minimum memory limit|range of cpus|invalid (memory|pids|cpu)/i.test(error.reason))
    return new NotRunnable('bad-limits', `The Docker Engine rejected these limits: ${error.reason}`, cause)
  // An error about a control group has mkdir in its message too, but the plan is not to blame for it.
  if (/mkdir|chdir|working directory|workdir|not a directory/i.test(error.reason) && !/cgroup/i.test(error.reason))
    return new NotRunnable(
      'bad-working-directory',
      `The working directory ${JSON.stringify(plan.workingDirectory)} is not a directory of the root that user ${JSON.stringify(plan.user)} may enter.`,
      cause,
    )
  if (/port is already allocated|address already in use/i.test(error.reason))
    return new BadInput('port-taken', 'A port to publish is in use on this host: choose another, or 0.', cause)
  return error
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') return error.statusCode
  return undefined
}

function reasonOf(error: unknown): string {
  if (error instanceof Error && 'json' in error) {
    const json: unknown = error.json
    if (json instanceof Object && 'message' in json && typeof json.message === 'string') return json.message
  }
  return messageOf(error)
}
