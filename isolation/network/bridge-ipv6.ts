import { access, constants, writeFile } from 'node:fs/promises'
import { messageOf } from '../../base/errors.js'
import { Mutex } from '../../base/mutex.js'
import { readKernelFile } from '../host/kernel-file.js'

/**
 * The kernel does not let a writer of the switch sleep: where another program changes a network, as the Engine does when it makes
 * and removes those of other launches, it has the call begin again and again until that one is done. So only one waits in this
 * way, and the threads of the daemon are left to others.
 */
const oneWrite = new Mutex()

/**
 * The networks of launches have no IPv6, but the kernel gives every bridge a link-local address, and services of the host
 * listen on [::]. Where IPv6 is disabled on a bridge, the kernel drops all packets of IPv6 that come from it, for the host or
 * to be forwarded. That needs no program, and no reload of a firewall takes it back.
 */
export async function disableIpv6(bridge: string): Promise<void> {
  try {
    await oneWrite.run(() => writeFile(switchOf(bridge), '1'))
  } catch (error) {
    if (!(await hasIpv6())) return
    throw new Error(`IPv6 cannot be disabled on it: ${messageOf(error)}`, { cause: error })
  }
}

/** Whether packets of IPv6 from this bridge are taken. A value that is set for all interfaces does that. */
export function takesIpv6(bridge: string): boolean {
  try {
    return readKernelFile(switchOf(bridge)).trim() === '0'
  } catch {
    // No file: the kernel has no IPv6, or the bridge is gone.
    return false
  }
}

/** Whether the kernel has it. */
export async function hasIpv6(): Promise<boolean> {
  return await allows('/proc/net/if_inet6', constants.F_OK)
}

/** Whether the daemon may disable it on bridges. */
export async function canDisableIpv6(): Promise<boolean> {
  return await allows(switchOf('default'), constants.W_OK)
}

function switchOf(name: string): string {
  return `/proc/sys/net/ipv6/conf/${name}/disable_ipv6`
}

async function allows(file: string, mode: number): Promise<boolean> {
  return await access(file, mode).then(
    () => true,
    () => false,
  )
}
