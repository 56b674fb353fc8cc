import type { Staging } from '../../daemon/documents/staging.js'
import type { ControlApi } from '../api/control-api.js'
import { stagingPath } from '../api/paths.js'
import { followEvents, type FollowEvents } from './follow-events.js'

export interface FollowLog extends Omit<FollowEvents, 'path' | 'whenLost'> {
  readonly staging: string
}

/**
 * Reads the log of a staging, as `followEvents` does. Returns the staging when it has ended; undefined when it is still
 * active and `follow` is false.
 */
export async function followLog(api: ControlApi, request: FollowLog & { readonly follow: true }): Promise<Staging>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined>
export async function followLog(api: ControlApi, request: FollowLog): Promise<Staging | undefined> {
  const { staging } = request
  return await followEvents<Staging>(api, {
    ...request,
    path: `${stagingPath(staging)}/log`,
    whenLost: (last) =>
      `staging ${staging}: continue with \`stagectl staging logs ${staging} --follow --since ${last}\``,
  })
}
