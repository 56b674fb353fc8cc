import { describe, expect, it } from 'vitest'
import { notifyServiceManager } from '../../daemon/service-manager.js'

const started = async (state: 'ready' | 'stopping', environment: Record<string, string>) => {
  const programs: unknown[] = []
  await notifyServiceManager(state, environment, (file, args, options) => {
    programs.push([file, ...args, options?.env])
    return Promise.resolve({ stdout: '', stderr: '' })
  })
  return programs
}

describe('the service manager', () => {
  it('is told the state with arguments that every version of systemd-notify has: no option', async () => {
    const environment = { NOTIFY_SOCKET: '/run/notify' }
    expect(await started('ready', environment)).toEqual([['systemd-notify', 'READY=1', environment]])
    expect(await started('stopping', environment)).toEqual([['systemd-notify', 'STOPPING=1', environment]])
  })

  it('is told nothing if there is none', async () => {
    expect(await started('ready', {})).toEqual([])
    expect(await started('ready', { NOTIFY_SOCKET: '' })).toEqual([])
  })
})
