import { describe, expect, it } from 'vitest'
import { Service } from '../../daemon/service.js'
import { loadSettings } from '../../daemon/settings/load-settings.js'
import type { Settings } from '../../daemon/settings/settings.js'

const settingsWith = (flags: Record<string, string> = {}) =>
  loadSettings({ flags, environment: {}, file: '/nonexistent', fileIsRequired: false, workingDirectory: '/' })

const under = async ({ flags = {}, next }: { flags?: Record<string, string>; next?: () => Promise<Settings> } = {}) => {
  const told: string[] = []
  const tell = (text: string) => {
    told.push(text)
    return Promise.resolve()
  }
  const logger = {
    level: 'info',
    info: (details: unknown, text = details as string) => void tell(`info: ${text}`),
    warn: (_details: unknown, text = '') => void tell(`warn: ${text}`),
    error: (text: unknown) => void tell(`error: ${String(text)}`),
  }
  const service = new Service(
    {
      daemon: {
        status: () => Promise.resolve('idle'),
        reload: ({ concurrency }) => tell(`concurrency ${concurrency}`),
        drain: (signal) =>
          new Promise((resolve) => {
            if (signal.aborted) resolve(false)
            signal.addEventListener('abort', () => resolve(false))
          }),
      },
      manager: {
        ready: () => tell('ready'),
        status: (text) => tell(`status: ${text}`),
        reloading: () => tell('reloading'),
        stopping: (milliseconds) => tell(`stopping for ${milliseconds}`),
      },
      logger,
      load: next ?? (() => settingsWith(flags)),
    },
    await settingsWith(flags),
  )
  return { service, told, logger }
}

describe('the service', () => {
  it('takes over on a reload what needs no restart, and names what does', async () => {
    const next = () => settingsWith({ concurrency: '7', logLevel: 'warn', stateDir: '/elsewhere', memory: '2GB' })
    const { service, told, logger } = await under({ next })
    await service.reload()
    expect(told).toEqual([
      'reloading',
      'concurrency 7',
      'info: the settings were reloaded',
      'warn: restart stagerd to change state-dir, memory',
      'ready',
    ])
    expect(logger.level).toBe('warn')
  })

  it('keeps its settings if the new ones are wrong, and says so', async () => {
    const { service, told } = await under({ next: () => settingsWith({ concurrency: 'many' }) })
    await service.reload()
    expect(told).toEqual([
      'reloading',
      'error: --concurrency: "many" is not a whole number from 1 to 999999999. The settings stay as they were.',
      'ready',
    ])
  })

  it('waits for running stagings as long as drain-timeout says, and tells how long the stop may take', async () => {
    const { service, told } = await under({ flags: { drainTimeout: '0s' } })
    await service.drain(new AbortController().signal)
    expect(told).toEqual([
      'stopping for 120000',
      'status: Stopping: running stagings may end',
      'info: running stagings are interrupted; they continue at the next start',
    ])
  })

  it('does not wait after a second signal, also with a drain-timeout that a reload has changed', async () => {
    const { service, told } = await under({ next: () => settingsWith({ drainTimeout: '1h' }) })
    await service.reload()
    const atOnce = new AbortController()
    const drained = service.drain(atOnce.signal)
    atOnce.abort()
    await drained
    expect(told).toContain('stopping for 3720000')
  })
})
