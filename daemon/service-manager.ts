import { runProcess } from '../base/run-process.js'

/**
 * Tell systemd (`Type=notify`) how things stand; nothing happens under any other parent. Node cannot send datagrams to a
 * Unix socket, so systemd's own tool does it, which is why the unit says `NotifyAccess=all`.
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
