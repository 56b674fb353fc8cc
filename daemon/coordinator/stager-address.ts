import { isUuid } from '../../base/identifiers.js'
import { quote } from '../../base/fqn.js'
import { StagerRefusal } from './stager-answer.js'

export const OPERATIONS = ['data', 'meta', 'snapshot', 'done', 'failed', 'relaunch'] as const

/** Where a request goes: `/UUID/OPERATION?QUERY`, taken apart. */
export interface StagerAddress {
  /** As sent; undefined when the path has none. */
  readonly launch: string | undefined
  /** As sent; empty when the path has none. */
  readonly operation: string
  readonly query: URLSearchParams
}

/**
 * Take a request target apart, as generously as clients put it together: they concatenate, so slashes may be doubled
 * or trailing, and behind a proxy setting the target may be a whole URL.
 */
export function parseAddress(target: string): StagerAddress {
  const withoutOrigin = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path = '', ...query] = withoutOrigin.split('?')
  const segments = path.split('/').filter((segment) => segment !== '')
  // `/data` lacks the UUID, rather than being the address of a launch that is called "data".
  const hasLaunch = segments.length > 0 && !isOperation(segments[0])
  return {
    launch: hasLaunch ? segments[0] : undefined,
    operation: segments.slice(hasLaunch ? 1 : 0).join('/'),
    query: new URLSearchParams(query.join('?')),
  }
}

export function isOperation(text: string | undefined): text is (typeof OPERATIONS)[number] {
  return (OPERATIONS as readonly (string | undefined)[]).includes(text)
}

/** Throws `StagerRefusal` 450, 451 or 452 unless the address is that of the launch `current`. */
export function assertAddresses({ launch }: StagerAddress, current: string): void {
  if (launch === undefined)
    throw new StagerRefusal(
      450,
      'The request is missing a UUID: send it to STAGER_URL/OPERATION, such as $STAGER_URL/data.',
    )
  if (!isUuid(launch))
    throw new StagerRefusal(451, `${quote(launch)} is not a UUID: send requests to STAGER_URL as the launch got it.`)
  if (launch.toLowerCase() !== current.toLowerCase())
    throw new StagerRefusal(452, 'The UUID is not that of the current launch: use the STAGER_URL of this launch.')
}

/** The one value of a query parameter. Throws `StagerRefusal` when it stands there more than once. */
export function singleParameter(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  if (values.length > 1) throw new StagerRefusal(499, `The query has ${name} ${values.length} times: give it once.`)
  return values[0]
}
