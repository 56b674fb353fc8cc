import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { connectEngine } from '../../../isolation/engine/connect.js'

/**
 * Imports a unique image from a tarball and returns its reference. The image has the label of the node, by which
 * `removeImages` finds it.
 *
 * @param changes lines of a Dockerfile: `ENV KEY=VALUE`
 */
export async function smallImage(
  tarball: Buffer,
  nodeId: string,
  changes: readonly string[] = [],
  engine: Docker = connectEngine(),
): Promise<string> {
  const repo = `stagerd-test/${randomUUID()}`
  const options = { repo, tag: 'small', changes: [`LABEL io.stagerd.node=${nodeId}`, ...changes] }
  const said = await engine.importImage(Readable.from([tarball]), options)
  const answer = await text(said as NodeJS.ReadableStream & AsyncIterable<Buffer>)
  if (answer.includes('"error"')) throw new Error(answer)
  return `${repo}:small`
}
