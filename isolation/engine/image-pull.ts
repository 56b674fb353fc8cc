import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { NotFound, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import { askEngine, EngineRefusal, isStatus } from './engine-errors.js'

/** The Engine tries a registry that does not answer several times before it gives up, in milliseconds. */
const REGISTRY_DEADLINE_MS = 3 * 60_000

/**
 * Have the Engine pull an image. What it says while it does is passed on, but for the bars that it draws.
 *
 * Throws `NotFound` (`no-such-image`), `Unavailable` (`registry-unreachable`, `engine-down`, `disk-full`). When aborted,
 * the Engine is no longer listened to, and gives up.
 */
export async function pullImage(
  engine: Docker,
  reference: string,
  progress: (line: string) => void,
  signal: AbortSignal,
): Promise<void> {
  let said: Readable
  try {
    const pulling = engine.pull(reference, { abortSignal: signal })
    said = (await askEngine('pull an image', pulling, REGISTRY_DEADLINE_MS)) as unknown as Readable
  } catch (error) {
    signal.throwIfAborted()
    if (isStatus(error, 404)) throw noSuchImage(reference, error)
    throw error instanceof EngineRefusal ? pullError(reference, error.reason, error) : error
  }
  const abort = () => said.destroy()
  signal.addEventListener('abort', abort, { once: true })
  try {
    await follow(said, reference, progress)
  } finally {
    signal.removeEventListener('abort', abort)
    said.destroy()
  }
  signal.throwIfAborted()
}

/** The Engine answers 200 first, and tells the rest line by line, failures included. */
async function follow(said: Readable, reference: string, progress: (line: string) => void): Promise<void> {
  said.on('error', () => undefined)
  const lines = createInterface({ input: said })
  let failure: string | undefined
  lines.on('line', (line) => {
    const message = JSON.parse(line) as { id?: string; status?: string; error?: string; progressDetail?: object }
    if (message.error !== undefined) failure = message.error
    // Only with a bar in it does it have details.
    else if (message.status !== undefined && Object.keys(message.progressDetail ?? {}).length === 0)
      progress(message.id === undefined ? message.status : `${message.id}: ${message.status}`)
  })
  await once(lines, 'close')
  if (failure !== undefined) throw pullError(reference, failure)
}

function pullError(reference: string, reason: string, cause?: Error): Error {
  const why = reason.replace(/\.$/, '')
  if (/manifest unknown|not found|does not exist|access denied|no matching manifest/i.test(reason))
    return noSuchImage(reference, cause)
  if (/no space left on device|disk quota exceeded/i.test(reason))
    return new Unavailable(
      'disk-full',
      `Could not pull ${quote(reference)}: the Docker Engine's disk is full; free some space.`,
      { cause },
    )
  return new Unavailable(
    'registry-unreachable',
    `The Docker Engine does not have the image ${quote(reference)} and cannot pull it (${why}): see that the Engine reaches the registry, or load the image with docker load.`,
    { cause },
  )
}

function noSuchImage(reference: string, cause?: unknown): NotFound {
  return new NotFound(
    'no-such-image',
    `Neither the Docker Engine nor the registry has an image ${quote(reference)}, or the registry wants a login: correct the name, or load the image with docker load.`,
    { cause },
  )
}
