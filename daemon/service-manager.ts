import { runProcess } from '../base/run-process.js'

/**
 * Report the state to systemd (`Type=notify`); does nothing under another parent. Node cannot send datagrams to a Unix
 * socket, so `systemd-notify` does it. That is why the unit sets `NotifyAccess=all`.
 */
export async function notifyServiceManager(
  state: 'ready' | 'stopping',
  environment: Readonly<Record<string, string | undefined>>,
): Promise<void> {
  const socket = environment.NOTIFY_SOCKET
  if (socket === undefined || socket === '') return
  const message = state === 'ready' ? '--ready' : '--stopping'
  await runProcess('systemd-notify', [message], { env: { NOTIFY_SOCKET: socket }, timeoutMs: 5_000 })
}
