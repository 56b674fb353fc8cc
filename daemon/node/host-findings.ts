import { once } from 'node:events'
import { stat, statfs } from 'node:fs/promises'
import { connect } from 'node:net'
import { runProcess } from '../../base/run-process.js'
import type { Finding } from '../../isolation/isolation.js'
import { SMALLEST_MTU, type NetworkMtu } from '../../isolation/network-mtu.js'

const GIB = 1024 ** 3
const PROXY_TIMEOUT_MS = 2_000

export interface HostFacts {
  readonly stateDirectory: string
  /** Where the proxies of the settings are. */
  readonly proxies: readonly { readonly host: string; readonly port: number }[]
  readonly networkMtu: NetworkMtu
  /** What the default route takes, in bytes. Undefined if the host has none. */
  readonly uplinkMtu: () => number | undefined
}

/** What of the host has nothing to do with the Engine: disk, inodes, permissions, clock, MTU, proxies. */
export async function examineHost({
  stateDirectory,
  proxies,
  networkMtu,
  uplinkMtu,
}: HostFacts): Promise<readonly Finding[]> {
  const [space, permissions, clock, ...ofProxies] = await Promise.all([
    statfs(stateDirectory),
    stat(stateDirectory),
    isClockSynchronised(),
    ...proxies.map(examineProxy),
  ])
  return [
    diskFinding({ free: space.bavail * space.bsize, size: space.blocks * space.bsize }),
    ...inodeFindings({ free: space.ffree, total: space.files }),
    permissionFinding(stateDirectory, permissions),
    ...clockFindings(clock),
    ...mtuFindings(networkMtu, uplinkMtu()),
    ...ofProxies,
  ]
}

export function diskFinding({ free, size }: { readonly free: number; readonly size: number }): Finding {
  const subject = 'disk'
  const left = `${(free / GIB).toFixed(1)} GiB of ${(size / GIB).toFixed(1)} GiB are free for the state directory`
  if (free < GIB || free < size * 0.03)
    return {
      subject,
      verdict: 'bad',
      message: `${left}: free some with \`stagectl node gc\`, or move it to a larger disk`,
    }
  if (free < 5 * GIB || free < size * 0.1)
    return {
      subject,
      verdict: 'slow',
      message: `${left}: uploads will be refused soon; \`stagectl node gc\` frees some`,
    }
  return { subject, verdict: 'good', message: left }
}

/** None where the filesystem makes inodes as they are needed. */
export function inodeFindings({ free, total }: { readonly free: number; readonly total: number }): readonly Finding[] {
  if (total === 0) return []
  const subject = 'inodes'
  const left = `${free} of ${total} inodes are free for the state directory`
  const remedy = 'layers and caches of stagers take them; `stagectl node gc` frees some'
  if (free < total * 0.03) return [{ subject, verdict: 'bad', message: `${left}: ${remedy}` }]
  if (free < total * 0.1) return [{ subject, verdict: 'slow', message: `${left}: ${remedy}` }]
  return [{ subject, verdict: 'good', message: left }]
}

/** Whoever can write to the directory can replace the database. */
export function permissionFinding(path: string, found: { readonly uid: number; readonly mode: number }): Finding {
  const subject = 'state directory'
  if (found.uid !== 0)
    return { subject, verdict: 'bad', message: `${path} does not belong to root: chown root ${path}` }
  if ((found.mode & 0o022) !== 0)
    return { subject, verdict: 'bad', message: `others than root can write to ${path}: chmod go-w ${path}` }
  return { subject, verdict: 'good', message: `only root can write to ${path}` }
}

export function clockFindings(synchronised: boolean | undefined): readonly Finding[] {
  const subject = 'clock'
  if (synchronised === undefined) return []
  if (synchronised) return [{ subject, verdict: 'good', message: 'it is synchronised' }]
  return [
    {
      subject,
      verdict: 'slow',
      message:
        'it is not synchronised: tokens expire and certificates are judged by it; install chrony, or run `timedatectl set-ntp true`',
    },
  ]
}

/** @param uplink what the interface with the default route takes; undefined where there is none */
export function mtuFindings(choice: NetworkMtu, uplink: number | undefined): readonly Finding[] {
  const subject = 'MTU'
  if (uplink === undefined) return []
  const networks = choice === 'uplink' ? Math.max(uplink, SMALLEST_MTU) : choice
  const way = `the interface with the default route takes packets of ${uplink} bytes`
  if (networks <= uplink)
    return [{ subject, verdict: 'good', message: `${way}, and the networks of launches have an MTU of ${networks}` }]
  const remedy =
    choice === 'uplink'
      ? `no network has less than ${SMALLEST_MTU}; give the interface at least that`
      : 'set network-mtu to uplink, unless packets of stagers take another way'
  const message = `${way}, but the networks of launches have an MTU of ${networks}, so that connections of stagers may hang: ${remedy}`
  return [{ subject, verdict: 'bad', message }]
}

/** Undefined where nobody knows, such as in a container. */
async function isClockSynchronised(): Promise<boolean | undefined> {
  try {
    const args = ['show', '--property=NTPSynchronized', '--value']
    const { stdout } = await runProcess('timedatectl', args, { timeoutMs: 5_000 })
    return stdout.trim() === 'yes' ? true : stdout.trim() === 'no' ? false : undefined
  } catch {
    return undefined
  }
}

export async function examineProxy({ host, port }: { readonly host: string; readonly port: number }): Promise<Finding> {
  const subject = 'proxy'
  const probe = connect({ host, port })
  try {
    await once(probe, 'connect', { signal: AbortSignal.timeout(PROXY_TIMEOUT_MS) })
    return { subject, verdict: 'good', message: `${host}:${port} can be reached` }
  } catch {
    return {
      subject,
      verdict: 'bad',
      message: `${host}:${port} cannot be reached, so stagers with egress reach nothing: correct http-proxy and https-proxy in the settings, or start the proxy`,
    }
  } finally {
    probe.destroy()
  }
}
