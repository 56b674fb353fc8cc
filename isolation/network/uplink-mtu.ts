import { join } from 'node:path'
import { readKernelFile } from '../host/kernel-file.js'
import { LARGEST_MTU, type NetworkMtu, SMALLEST_MTU } from '../network-mtu.js'

/**
 * The MTU for networks of launches. With more than the uplink takes, long packets are lost where no router reports it: a
 * connection is established, and then hangs.
 *
 * @param proc,sys `/proc` and `/sys`
 * @returns undefined if the host has no default route: then the default of the Engine is as good as any
 */
export function networkMtu(choice: NetworkMtu, proc = '/proc', sys = '/sys'): number | undefined {
  if (choice !== 'uplink') return choice
  const uplink = uplinkMtu(proc, sys)
  return uplink && Math.min(LARGEST_MTU, Math.max(SMALLEST_MTU, uplink))
}

/** What the default route takes, in bytes. Undefined if the host has none. */
export function uplinkMtu(proc = '/proc', sys = '/sys'): number | undefined {
  const route = defaultRoute(readOrEmpty(join(proc, 'net/route')))
  if (!route) return undefined
  const ofInterface = Number(readOrEmpty(join(sys, 'class/net', route.interface, 'mtu'))) || undefined
  const smallest = Math.min(ofInterface ?? Infinity, route.mtu || Infinity)
  return smallest === Infinity ? undefined : smallest
}

interface Route {
  readonly interface: string
  readonly metric: number
  /** 0 for that of the interface. */
  readonly mtu: number
}

const ROUTE_IS_UP = 0x1
const ROUTE_REJECTS = 0x200

/** @param table the text of /proc/net/route. The kernel prefers the default route with the lowest metric */
export function defaultRoute(table: string): Route | undefined {
  let best: Route | undefined
  for (const line of table.split('\n').slice(1)) {
    const [name, destination, , flags = '', , , metric, mask, mtu] = line.trim().split(/\s+/)
    const bits = parseInt(flags, 16)
    const leads = (bits & ROUTE_IS_UP) !== 0 && (bits & ROUTE_REJECTS) === 0
    if (name === undefined || destination !== '00000000' || mask !== '00000000' || !leads) continue
    const route = { interface: name, metric: Number(metric), mtu: Number(mtu) }
    if (!best || route.metric < best.metric) best = route
  }
  return best
}

function readOrEmpty(path: string): string {
  try {
    return readKernelFile(path)
  } catch {
    return ''
  }
}
