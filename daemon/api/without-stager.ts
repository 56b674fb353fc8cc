import { BadInput, Conflict, NotFound } from '../../base/errors.js'
import { formatFqn } from '../../base/fqn.js'
import type { Pipeline } from '../store/repositories.js'

export interface StagerRemoval {
  readonly uuid: string
  readonly fqn: string
  /** From 1. */
  readonly position: number | undefined
}

/**
 * The stagers of a pipeline without one of them.
 *
 * Throws `NotFound` (`stager-not-in-pipeline`), `Conflict` (`stager-ambiguous`) without a position for a stager that the
 * pipeline has several times, `BadInput` (`bad-position`, `empty-pipeline`).
 */
export function withoutStager(pipeline: Pipeline, { uuid, fqn, position }: StagerRemoval): readonly string[] {
  const name = formatFqn('stagpipe', pipeline)
  const positions = pipeline.stagers.flatMap((stager, index) => (stager === uuid ? [index + 1] : []))
  const [first] = positions
  if (first === undefined)
    throw new NotFound('stager-not-in-pipeline', `${name} does not contain ${fqn}: name one of its stagers.`)
  if (position !== undefined && !positions.includes(position))
    throw new BadInput('bad-position', `${fqn} is not at position ${position} of ${name}, but at ${listOf(positions)}.`)
  if (position === undefined && positions.length > 1)
    throw new Conflict(
      'stager-ambiguous',
      `${name} has ${fqn} at the positions ${listOf(positions)}: give the position of the one to remove.`,
    )
  if (pipeline.stagers.length === 1)
    throw new BadInput('empty-pipeline', `${fqn} is the only stager of ${name}: delete the pipeline instead.`)
  return pipeline.stagers.filter((_stager, index) => index + 1 !== (position ?? first))
}

function listOf(positions: readonly number[]): string {
  return positions.join(' and ')
}
