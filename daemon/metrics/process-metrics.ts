import { readdir, readFile } from 'node:fs/promises'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { Counter, Gauge, type Registry } from 'prom-client'

/**
 * How often the delay of the event loop is measured, in milliseconds. A stall that is shorter may not be seen whole. The
 * default of Node.js would wake an idle daemon a hundred times a second.
 */
const RESOLUTION_MS = 1_000

/** The process itself, by the names that all Prometheus clients use, and its event loop. */
export function measureProcess(registry: Registry, version: string): void {
  const registers = [registry]
  new Gauge({
    name: 'stagerd_build_info',
    help: 'Always 1; the label says which stagerd runs',
    labelNames: ['version'],
    registers,
  }).set({ version }, 1)
  new Gauge({
    name: 'process_resident_memory_bytes',
    help: 'Memory of the daemon',
    registers,
    collect() {
      this.set(process.memoryUsage.rss())
    },
  })
  new Counter({
    name: 'process_cpu_seconds_total',
    help: 'Time of processors that the daemon has used',
    registers,
    collect() {
      const { user, system } = process.cpuUsage()
      this.reset()
      this.inc((user + system) / 1e6)
    },
  })
  new Gauge({
    name: 'process_start_time_seconds',
    help: 'When the daemon was started, in seconds since 1970',
    registers,
  }).set(Math.round(Date.now() / 1000 - process.uptime()))
  new Gauge({
    name: 'process_open_fds',
    help: 'Descriptors that the daemon has open',
    registers,
    async collect() {
      this.set((await readdir('/proc/self/fd')).length)
    },
  })
  new Gauge({
    name: 'process_max_fds',
    help: 'How many descriptors it may have open',
    registers,
    async collect() {
      const [, soft] = /^Max open files +(\d+)/m.exec(await readFile('/proc/self/limits', 'utf8')) ?? []
      this.set(soft === undefined ? Infinity : Number(soft))
    },
  })
  measureEventLoop(registers)
}

function measureEventLoop(registers: Registry[]): void {
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  delay.enable()
  new Gauge({
    name: 'stagerd_event_loop_delay_max_seconds',
    help: 'The longest time since the last collection in which the daemon has answered nothing',
    registers,
    collect() {
      // The histogram has the time between two measurements.
      this.set(delay.count === 0 ? 0 : Math.max(0, delay.max / 1e9 - RESOLUTION_MS / 1000))
      delay.reset()
    },
  })
}
