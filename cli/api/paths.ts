import { formatFqn, parseFqn, type FqnKind } from '../../base/fqn.js'
import { isUuid } from '../../base/identifiers.js'

/** The `ref` of the API for user input: a UUID, or the FQN of a name. Throws `BadInput` for anything else. */
export function refOf(text: string, kind: FqnKind, namespace: string): string {
  return isUuid(text) ? text : formatFqn(kind, parseFqn(text, kind, namespace))
}

/** The path of what `ref` names. */
export function pathOf(kind: FqnKind, ref: string): string {
  switch (kind) {
    case 'package':
      return packagePath(ref)
    case 'job':
      return stagerPath(ref)
    case 'stagpipe':
      return pipelinePath(ref)
    case 'policydoc':
      return policyPath(ref)
  }
}

export function packagePath(ref: string): string {
  return `/v1/packages/${encodeURIComponent(ref)}`
}

export function stagerPath(ref: string): string {
  return `/v1/stagers/${encodeURIComponent(ref)}`
}

export function pipelinePath(ref: string): string {
  return `/v1/stagingpipelines/${encodeURIComponent(ref)}`
}

export function policyPath(ref: string): string {
  return `/v1/policies/${encodeURIComponent(ref)}`
}

export function webhookPath(uuid: string): string {
  return `/v1/webhooks/${encodeURIComponent(uuid)}`
}

export function stagingPath(uuid: string): string {
  return `/v1/stagings/${encodeURIComponent(uuid)}`
}
