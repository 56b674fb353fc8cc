import type { Command } from 'commander'
import { UsageError } from './usage-error.js'

export interface NotifyOptions {
  readonly notify?: readonly string[]
  /** A file, so that the secret is in no list of processes. */
  readonly notifySecret?: string
}

export function addNotifyOptions(command: Command): Command {
  return command
    .option(
      '--notify <url>',
      'have stagerd send a request to this URL when the staging ends, whatever its end, as to a webhook (repeatable)',
      collectUrls,
    )
    .option(
      '--notify-secret <file>',
      'file with the secret that the requests of --notify are signed with: whsec_ and 24 to 64 bytes in base64',
    )
}

function collectUrls(url: string, before: readonly string[] = []): string[] {
  return [...before, url]
}

/** Throws `UsageError` for one without the other. */
export function assertNotify({ notify, notifySecret }: NotifyOptions): void {
  if (notify !== undefined && notifySecret === undefined)
    throw new UsageError(
      '--notify needs --notify-secret FILE, a secret that the receiver knows, too: without it, nobody could tell a request of stagerd from another. Make one with `echo whsec_$(openssl rand -base64 32)`.',
    )
  if (notify === undefined && notifySecret !== undefined)
    throw new UsageError('--notify-secret is the secret of --notify URL: give both, or none.')
}
