import { createReadStream } from 'node:fs'
import path from 'node:path'
import type { Readable } from 'node:stream'
import { TooLarge } from '../../base/errors.js'
import { fileError } from '../../base/file-error.js'
import { quote } from '../../base/fqn.js'
import type { SecretSource } from '../options/secret-options.js'
import { UsageError } from '../options/usage-error.js'
import type { Session } from './session.js'

/** More than any daemon takes. What is named by mistake, such as a device, may have no end. */
const MOST_BYTES = 1024 * 1024

/**
 * The field of a request: the values by name, in base64. Nothing is added to them or left out. No message shows a value.
 *
 * Throws `UsageError` for a secret without a value, and `BadInput`, `NotFound` or `TooLarge` for a file.
 */
export async function readSecrets(
  session: Session,
  sources: readonly SecretSource[] = [],
): Promise<{ readonly secrets?: Record<string, string> }> {
  if (sources.length === 0) return {}
  const fromInput = sources.filter((source) => isFromInput(session, source))
  if (fromInput.length > 1)
    throw new UsageError(
      `Standard input can be the value of one secret only, but ${fromInput.map(({ name }) => name).join(' and ')} would have it: set their environment variables, or give files.`,
    )
  const secrets: Record<string, string> = {}
  for (const source of sources) secrets[source.name] = (await readSecret(session, source)).toString('base64')
  return { secrets }
}

/** Throws as `readSecrets`. */
export async function readSecret(session: Session, source: SecretSource): Promise<Buffer> {
  const { io } = session
  const { name, file } = source
  if (isFromInput(session, source)) {
    if (io.stdin.isTTY === true)
      throw new UsageError(
        `The secret ${quote(name)} has no value: set the environment variable ${name}, write ${name}=FILE, or pass the value to standard input.`,
      )
    return await readAll(io.stdin, name)
  }
  if (file === undefined) return Buffer.from(io.env[name] ?? '')
  try {
    return await readAll(createReadStream(path.resolve(io.cwd, file)), name)
  } catch (error) {
    throw fileError(error, { file, remedy: `give the path of the file with the value of ${name}` })
  }
}

function isFromInput({ io }: Session, { name, file }: SecretSource): boolean {
  return file === '-' || (file === undefined && (io.env[name] ?? '') === '')
}

async function readAll(stream: Readable, name: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream as AsyncIterable<Buffer | string>) {
    const piece = Buffer.from(chunk)
    bytes += piece.length
    if (bytes > MOST_BYTES)
      throw new TooLarge(
        'secret-too-large',
        `The secret ${quote(name)} has more than ${MOST_BYTES} bytes: that is too much.`,
      )
    chunks.push(piece)
  }
  return Buffer.concat(chunks)
}
