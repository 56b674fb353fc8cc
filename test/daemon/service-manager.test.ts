import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ServiceManager } from '../../daemon/service-manager.js'

const SOCKET = { NOTIFY_SOCKET: '/run/notify' }

const under = (environment: Record<string, string | undefined>) => {
  const programs: (readonly string[])[] = []
  const manager = new ServiceManager(environment, (file, args) => {
    programs.push([file, ...args])
    return Promise.resolve({ stdout: '', stderr: '' })
  })
  onTestFinished(() => manager.close())
  return { manager, programs }
}

describe('the service manager', () => {
  it('is told the state with arguments that every version of systemd-notify has: no option', async () => {
    const { manager, programs } = under(SOCKET)
    await manager.ready()
    await manager.stopping(90_000)
    expect(programs).toEqual([
      ['systemd-notify', 'READY=1'],
      // A drain may take longer than TimeoutStopSec.
      ['systemd-notify', 'STOPPING=1', 'EXTEND_TIMEOUT_USEC=90000000'],
    ])
  })

  it('is told a status when it changes', async () => {
    const { manager, programs } = under(SOCKET)
    for (const text of ['idle', 'idle', 'busy']) await manager.status(text)
    expect(programs.map(([, text]) => text)).toEqual(['STATUS=idle', 'STATUS=busy'])
  })

  it('is told the time of a reload, by its clock', async () => {
    const { manager, programs } = under(SOCKET)
    await manager.reloading()
    expect(programs[0]?.slice(1)).toEqual(['RELOADING=1', expect.stringMatching(/^MONOTONIC_USEC=[0-9]+$/)])
  })

  it('gets three pings in the time of its watchdog, as long as the event loop turns', async () => {
    const { manager, programs } = under({ ...SOCKET, WATCHDOG_USEC: '60000' })
    await manager.ready()
    const pings = () => programs.filter(([, text]) => text === 'WATCHDOG=1').length
    await expect.poll(pings).toBeGreaterThan(1)
    const before = pings()
    // An event loop that hangs sends none.
    const end = performance.now() + 100
    while (performance.now() < end);
    expect(pings()).toBe(before)
    manager.close()
    await delay(0)
  })

  it('is told nothing if there is none', async () => {
    for (const environment of [{ NOTIFY_SOCKET: undefined }, { NOTIFY_SOCKET: '' }, { WATCHDOG_USEC: '1000' }]) {
      const { manager, programs } = under(environment)
      await manager.ready()
      await manager.status('idle')
      expect(programs).toEqual([])
    }
  })
})
