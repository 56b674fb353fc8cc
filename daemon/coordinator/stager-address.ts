import { isUuid } from '../../base/identifiers.js'
import { quote } from '../../base/fqn.js'
import { StagerRefusal } from './stager-answer.js'

/** The target of a request, `/UUID/OPERATION?QUERY`, in parts. */
export interface StagerAddress {
  /** First segment of the path, as sent; undefined if the path has none. */
  readonly launch: string | undefined
  /** The segments after it, as sent; empty if there are none. */
  readonly operation: string
  readonly query: URLSearchParams
}

/**
 * Parse a request target as liberally as clients write it. They concatenate strings, so slashes may be doubled or
 * trailing. Clients with a proxy setting send a whole URL.
 */
export function parseAddress(target: string): StagerAddress {
  const withoutOrigin = target.replace(/^https?:\/\/[^/?]*/i, '')
  const [path = '', ...query] = withoutOrigin.split('?')
  const [launch, ...operation] = path.split('/').filter((segment) => segment !== '')
  return { launch, operation: operation.join('/'), query: new URLSearchParams(query.join('?')) }
}

/** Throws `StagerRefusal` 450, 451 or 452 unless the address is that of the launch `current`. */
export function assertAddresses(
  { launch }: StagerAddress,
  current: string,
  isOperation: (segment: string) => boolean,
): void {
  // `/data` is an address without a UUID, and not that of a launch named "data".
  if (launch === undefined || isOperation(launch))
    throw new StagerRefusal(
      450,
      'The request is missing a UUID: send it to STAGER_URL/OPERATION, such as $STAGER_URL/data.',
    )
  if (!isUuid(launch))
    throw new StagerRefusal(451, `${quote(launch)} is not a UUID: send requests to STAGER_URL as the launch got it.`)
  if (launch.toLowerCase() !== current.toLowerCase())
    throw new StagerRefusal(452, 'The UUID is not that of the current launch: use the STAGER_URL of this launch.')
}

/** The value of a query parameter. Throws `StagerRefusal` if it is repeated. */
export function singleParameter(query: URLSearchParams, name: string): string | undefined {
  const values = query.getAll(name)
  if (values.length > 1) throw new StagerRefusal(499, `The query has ${name} ${values.length} times: give it once.`)
  return values[0]
}
