import type { Readable } from 'node:stream'
import type Docker from 'dockerode'
import { BadInput, NotFound, Refused, Unavailable } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { ImageHooks } from '../image.js'
import { askEngineAtLength, engineError, EngineRefusal, isStatus } from './engine-errors.js'

/** In milliseconds. The Engine retries a registry that does not answer several times before it gives up. */
const REGISTRY_DEADLINE_MS = 3 * 60_000

/**
 * Has the Engine pull an image. Passes its messages to `progress`, and what its progress bars say to `transferred`.
 *
 * Throws `NotFound` (`no-such-image`), `BadInput` (`image-architecture`), `Refused` (`registry-login`), `Unavailable`
 * (`registry-unreachable`, `registry-untrusted`, `engine-down`, `disk-full`). An abort closes the connection, and the
 * Engine cancels the pull.
 */
export async function pullImage(
  engine: Docker,
  reference: string,
  hooks: ImageHooks,
  signal: AbortSignal,
): Promise<void> {
  let said: Readable
  try {
    const pull = (abortSignal: AbortSignal) => engine.pull(reference, { abortSignal })
    said = (await askEngineAtLength('pull an image', pull, REGISTRY_DEADLINE_MS, signal)) as unknown as Readable
  } catch (error) {
    signal.throwIfAborted()
    throw error instanceof EngineRefusal ? pullError(reference, error.reason, error) : error
  }
  const abort = () => said.destroy(new Error('aborted'))
  said.on('error', () => undefined)
  signal.addEventListener('abort', abort, { once: true })
  try {
    // The signal may have been aborted before the listener was there.
    signal.throwIfAborted()
    await follow(said, reference, hooks)
  } catch (error) {
    signal.throwIfAborted()
    throw engineError('pull an image', error)
  } finally {
    signal.removeEventListener('abort', abort)
    said.destroy()
  }
}

interface PullMessage {
  readonly id?: string
  readonly status?: string
  readonly error?: string
  /** Not empty in a message that updates a progress bar. */
  readonly progressDetail?: { readonly current?: number }
}

/** The Engine answers 200 first, and then sends lines of JSON: errors too. */
async function follow(said: Readable, reference: string, hooks: ImageHooks): Promise<void> {
  let rest = ''
  const bytes = new Map<string, number>()
  for await (const chunk of said.setEncoding('utf8') as AsyncIterable<string>) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) {
      const { id = '', status, error, progressDetail = {} } = JSON.parse(line) as PullMessage
      if (error !== undefined) throw pullError(reference, error)
      if (status === 'Downloading' && progressDetail.current !== undefined) {
        bytes.set(id, progressDetail.current)
        hooks.transferred?.([...bytes.values()].reduce((sum, one) => sum + one, 0))
      }
      if (status !== undefined && Object.keys(progressDetail).length === 0)
        hooks.progress?.(id === '' ? status : `${id}: ${status}`)
    }
  }
}

function pullError(reference: string, reason: string, cause?: Error): Error {
  const why = reason.replace(/\.$/, '')
  if (/no matching manifest/i.test(reason))
    return new BadInput(
      'image-architecture',
      `The registry has the image ${quote(reference)} for other processors only (${why}): name an image for this host.`,
      { cause },
    )
  if (/no basic auth credentials|authentication required|unauthorized/i.test(reason))
    return new Refused(
      'registry-login',
      `The registry wants a login for ${quote(reference)}, and stagerd has none: pull it on this host with docker login and docker pull, and try again, because an image that the Docker Engine has is not pulled.`,
      { cause },
    )
  if (isStatus(cause, 404) || /manifest unknown|not found|does not exist|access denied|denied: /i.test(reason))
    return noSuchImage(reference, cause)
  if (/no space left on device|disk quota exceeded/i.test(reason))
    return new Unavailable(
      'disk-full',
      `Could not pull ${quote(reference)}: the Docker Engine's disk is full; free some space.`,
      { cause },
    )
  if (/x509|certificate|server gave HTTP response to HTTPS client/i.test(reason))
    return new Unavailable(
      'registry-untrusted',
      `The Docker Engine does not trust the registry of ${quote(reference)} (${why}): give the Engine its certificate as /etc/docker/certs.d/HOST:PORT/ca.crt, or list it under insecure-registries in /etc/docker/daemon.json.`,
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
