import { NotFound } from '../../base/errors.js'
import { formatFqn, quote, type FqnKind } from '../../base/fqn.js'
import type { Ref } from './repositories.js'

/**
 * The errors for what is not there. What a caller may not see gets the same ones, so that an answer does not tell the two
 * apart.
 */

const KINDS: Readonly<Record<FqnKind, readonly [code: string, noun: string]>> = {
  package: ['package-not-found', 'package'],
  job: ['stager-not-found', 'stager'],
  stagpipe: ['pipeline-not-found', 'pipeline'],
  policydoc: ['policy-not-found', 'policy document'],
}

export function notFound(kind: FqnKind, ref: Ref): NotFound {
  const [code, noun] = KINDS[kind]
  return new NotFound(code, `There is no ${noun} ${describeRef(ref, kind)}.`)
}

export function stagingNotFound(uuid: string): NotFound {
  return new NotFound('staging-not-found', `There is no staging ${uuid}.`)
}

export function runNotFound(uuid: string): NotFound {
  return new NotFound('run-not-found', `There is no run ${uuid}: it has ended, or it never existed.`)
}

export function webhookNotFound(uuid: string): NotFound {
  return new NotFound('webhook-not-found', `There is no webhook ${quote(uuid)}.`)
}

export function resourceNotFound(sha256: string): NotFound {
  return new NotFound('resource-not-found', `There is no data with the SHA-256 ${quote(sha256)}: upload it first.`)
}

/** For messages. */
export function describeRef(ref: Ref, kind: FqnKind): string {
  return 'uuid' in ref ? ref.uuid : formatFqn(kind, ref)
}
