import type { FqnKind } from '../../base/fqn.js'
import { formatFqn, parseFqn } from '../../base/fqn.js'
import { maySee, type Caller } from '../access/caller.js'
import type { RecentUploads } from '../access/recent-uploads.js'
import { notFound, resourceNotFound, runNotFound, stagingNotFound, webhookNotFound } from '../store/not-found.js'
import type { Ref } from '../store/repositories.js'
import type { ResourceOwners } from '../store/resource-owners.js'
import type { StagingLedger } from '../store/staging-ledger.js'
import type { WebhookRepository } from '../store/webhook-repository.js'
import type { Target } from './access.js'
import { parseRef } from './parse-ref.js'

interface Named {
  readonly namespace: string
  readonly name: string
}

export interface PlacesParts {
  readonly named: Readonly<Record<FqnKind, { get(ref: Ref): Promise<Named> }>>
  readonly ledger: Pick<StagingLedger, 'get'>
  readonly webhooks: Pick<WebhookRepository, 'get'>
  readonly runs: { namespaceOf(uuid: string): string | undefined }
  readonly owners: ResourceOwners
  readonly uploads: Pick<RecentUploads, 'namespacesOf'>
}

/** What a target is, as a full name where it has one, and the namespaces that it belongs to. */
export interface Place {
  readonly name: string
  readonly namespaces: readonly string[]
}

/** Where the things are that requests are about. */
export class Places {
  readonly #parts: PlacesParts

  constructor(parts: PlacesParts) {
    this.#parts = parts
  }

  /** Throws `BadInput` for what cannot be a reference, `NotFound` for what is not there or is hidden from the caller. */
  async visible(target: Target, caller: Caller): Promise<Place> {
    const place = await this.#of(target)
    if (target.kind !== 'namespace' && !place.namespaces.some((one) => maySee(caller, one))) throw missing(target)
    return place
  }

  async #of(target: Target): Promise<Place> {
    const { named, ledger, webhooks, runs, owners, uploads } = this.#parts
    const { kind, ref: text } = target
    switch (kind) {
      case 'namespace':
        return { name: target.name ?? text, namespaces: [text] }
      case 'staging': {
        const { packageFqn } = await ledger.get(text)
        return { name: `${text} of ${packageFqn}`, namespaces: [parseFqn(packageFqn, 'package', '/').namespace] }
      }
      case 'webhook':
        return { name: `webhook ${text}`, namespaces: [(await webhooks.get(text)).namespace] }
      case 'run': {
        const namespace = runs.namespaceOf(text)
        return { name: text, namespaces: namespace === undefined ? [] : [namespace] }
      }
      case 'resource': {
        const digest = text.toLowerCase()
        return { name: digest, namespaces: [...(await owners.namespacesOf(digest)), ...uploads.namespacesOf(digest)] }
      }
      case 'package':
      case 'job':
      case 'stagpipe':
      case 'policydoc': {
        const ref = parseRef(text, kind)
        // A name says where it is, whether or not there is something with that name.
        const found = 'uuid' in ref ? await named[kind].get(ref) : ref
        return { name: formatFqn(kind, found), namespaces: [found.namespace] }
      }
    }
  }
}

function missing({ kind, ref }: Exclude<Target, { kind: 'namespace' }>): Error {
  switch (kind) {
    case 'staging':
      return stagingNotFound(ref)
    case 'run':
      return runNotFound(ref)
    case 'webhook':
      return webhookNotFound(ref)
    case 'resource':
      return resourceNotFound(ref)
    case 'package':
    case 'job':
    case 'stagpipe':
    case 'policydoc':
      return notFound(kind, parseRef(ref, kind))
  }
}
