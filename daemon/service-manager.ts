import { runProcess } from '../base/run-process.js'

/** As variables: the option `--stopping` came with systemd 253, and Debian 12 has 252. */
const STATES = { ready: 'READY=1', stopping: 'STOPPING=1' } as const

/**
 * Report the state to systemd (`Type=notify`); does nothing under another parent. Node cannot send datagrams to a Unix
 * socket, so `systemd-notify` does it. That is why the unit sets `NotifyAccess=all`.
 */
export async function notifyServiceManager(
  state: keyof typeof STATES,
  environment: Readonly<Record<string, string | undefined>>,
  run: typeof runProcess = runProcess,
): Promise<void> {
  const socket = environment.NOTIFY_SOCKET
  if (socket === undefined || socket === '') return
  await run('systemd-notify', [STATES[state]], { env: { NOTIFY_SOCKET: socket }, timeoutMs: 5_000 })
}
