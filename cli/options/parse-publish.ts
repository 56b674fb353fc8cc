import { quote } from '../../base/fqn.js'
import { UsageError } from './usage-error.js'

export interface PublishedPort {
  readonly host_port: number
  readonly container_port: number
}

/** Collects `HOST:CONTAINER` of each use of an option, or `CONTAINER` for a free host port. Throws `UsageError`. */
export function collectPublished(text: string, before: readonly PublishedPort[] | undefined): PublishedPort[] {
  const match = /^(?:(\d{1,5}):)?(\d{1,5})$/.exec(text)
  const host = Number(match?.[1] ?? 0)
  const container = Number(match?.[2] ?? 0)
  if (!match || host > 65_535 || container < 1 || container > 65_535)
    throw new UsageError(
      `${quote(text)} is not a port to publish: write HOST:CONTAINER, such as 8080:80, or only CONTAINER for a free port of the host.`,
    )
  return [...(before ?? []), { host_port: host, container_port: container }]
}
