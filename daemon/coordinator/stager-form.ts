import { isUtf8 } from 'node:buffer'
import { Busboy, type BusboyInstance } from '@fastify/busboy'
import { BadInput } from '../../base/errors.js'
import { quote } from '../../base/fqn.js'
import type { StagerRequest } from './stager-request.js'

/** Fields by name. A map and not an object, because a field may be named `__proto__`. */
export type StagerForm = ReadonlyMap<string, string>

/**
 * Read the body of a request as a form, urlencoded or multipart. An empty body is an empty form, whatever its type.
 *
 * Throws `BadInput` (`bad-form`) for another type, a file, a part without a name, a repeated field, too many fields, or text that is not
 * UTF-8, and what `StagerRequest.readBody` throws.
 */
export async function readForm(request: StagerRequest): Promise<StagerForm> {
  const { raw, limits } = request
  return parseForm(await request.readBody(), raw.headers['content-type'], limits.formFields)
}

async function parseForm(body: Buffer, contentType: string | undefined, maxFields: number): Promise<StagerForm> {
  if (body.length === 0) return new Map()
  const mediaType = contentType?.split(';', 1)[0]?.trim().toLowerCase() ?? 'application/x-www-form-urlencoded'
  switch (mediaType) {
    case '':
    case 'application/x-www-form-urlencoded':
      return collectFields(urlencoded(body), maxFields)
    case 'multipart/form-data':
      return collectFields(await multipart(body, contentType ?? '', maxFields), maxFields)
    default:
      throw new BadInput(
        'bad-form',
        `The body is ${quote(mediaType)}: send a form, application/x-www-form-urlencoded or multipart/form-data.`,
      )
  }
}

type Fields = Iterable<readonly [name: string, value: string]>

function urlencoded(body: Buffer): Fields {
  const bytes = body
    .toString('latin1')
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)))
  assertUtf8(Buffer.from(bytes, 'latin1'))
  return new URLSearchParams(body.toString('utf8'))
}

async function multipart(body: Buffer, contentType: string, maxFields: number): Promise<Fields> {
  assertUtf8(body)
  const fields: [string, string][] = []
  await new Promise<void>((resolve, reject) => {
    const refuse = (message: string, cause?: unknown): void => reject(new BadInput('bad-form', message, { cause }))
    let parser: BusboyInstance
    try {
      parser = new Busboy({
        headers: { 'content-type': contentType },
        limits: { fields: maxFields + 1, parts: maxFields + 1, fieldSize: body.length, headerPairs: 20 },
        // A part without a header, or that is skipped, is read by nobody: when it has more than this, the parser would wait
        // for that without an end.
        fileHwm: body.length + 1,
      })
    } catch (error) {
      refuse('The multipart form names no boundary in its Content-Type: send it as curl -F does.', error)
      return
    }
    // The types of the library do not say that a part may have no name.
    parser.on('field', (name: string | undefined, value) => {
      if (name === undefined) refuse(NO_NAME)
      else fields.push([name, value])
    })
    parser.on('file', (name: string | undefined, stream) => {
      // It gets an error of its own when the form ends within it, which would end the daemon.
      stream.on('error', () => undefined).resume()
      refuse(name === undefined ? NO_NAME : `The form sends ${quote(name)} as a file: send every field as plain text.`)
    })
    // It would skip the rest.
    parser.on('partsLimit', () => refuse(tooManyFields(maxFields)))
    parser.on('error', (error) => refuse('The multipart form is damaged: its last boundary is missing.', error))
    parser.on('finish', resolve)
    parser.end(body)
  })
  return fields
}

function collectFields(fields: Fields, maxFields: number): StagerForm {
  const form = new Map<string, string>()
  for (const [name, value] of fields) {
    if (form.has(name)) throw new BadInput('bad-form', `The form has ${quote(name)} more than once: send it once.`)
    form.set(name, value)
    if (form.size > maxFields) throw new BadInput('bad-form', tooManyFields(maxFields))
  }
  return form
}

const NO_NAME = 'A part of the form has no name: send every field with one, as curl -F does.'
const tooManyFields = (maxFields: number) => `The form has more than ${maxFields} fields: a change needs at most six.`

// Decoders replace invalid bytes by U+FFFD: the value of the stager would be altered silently.
function assertUtf8(bytes: Buffer): void {
  if (!isUtf8(bytes)) throw new BadInput('bad-form', 'The form is not UTF-8: encode its text as UTF-8.')
}
