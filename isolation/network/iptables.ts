import { errnoOf, Fault, messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import { Mutex } from '../../base/mutex.js'
import { forkServer, ForkServer } from '../host/fork-server.js'

/** For the table, which may be long. */
const looks = new ForkServer(2 ** 24)
const oneLook = new Mutex()

/**
 * The table `filter` in the format of `iptables-save`.
 *
 * Throws `Fault`: `firewall-missing`, `firewall-forbidden`, `firewall-unreadable` or `firewall-failed`.
 */
export async function save(signal?: AbortSignal): Promise<string> {
  const argv = ['timeout', '10', 'iptables-save', '-t', 'filter'] as const
  signal?.throwIfAborted()
  const stdout = await oneLook
    .run(() => looks.run({ argv }))
    // It tells the reason in more detail.
    .catch(
      async () =>
        (await run('iptables-save', ['-t', 'filter'], { timeoutMs: 30_000, ...(signal && { signal }) })).stdout,
    )
  // The tool reports this in a comment, with exit code 0.
  if (/^# Table `filter' is incompatible/m.test(stdout))
    throw new Fault(
      'firewall-unreadable',
      'iptables cannot read the table "filter", because it contains rules of nft: move these to a table of their own',
    )
  return stdout
}

/** One transaction: all lines or none. Throws what `save` throws. */
export async function restore(input: string, signal?: AbortSignal): Promise<void> {
  await run('iptables-restore', ['--noflush', '-w'], { input, timeoutMs: 30_000, ...(signal && { signal }) })
}

/**
 * As `restore`, with less of the processor's time. Throws `Fault` (`process-failed`): why is for `restore` to tell, which looks
 * closer.
 */
export async function restoreSoon(input: string): Promise<void> {
  await forkServer.run({ argv: ['timeout', '30', 'iptables-restore', '--noflush', '-w'], input })
}

/** Whether `restore` accepts `input`. It changes nothing. Throws what `save` throws. */
export async function check(input: string): Promise<void> {
  await run('iptables-restore', ['--noflush', '--test', '-w'], { input, timeoutMs: 30_000 })
}

async function run(
  program: string,
  args: readonly string[],
  options: { readonly input?: string; readonly timeoutMs: number; readonly signal?: AbortSignal },
): Promise<{ readonly stdout: string }> {
  try {
    return await runProcess(program, args, options)
  } catch (error) {
    options.signal?.throwIfAborted()
    throw explained(program, error)
  }
}

/** The messages complete sentences of others, so they have no full stop. */
function explained(program: string, error: unknown): Fault {
  const cause = { cause: error }
  const message = messageOf(error).replace(/\.$/, '')
  const ended = error instanceof Error ? error.cause : undefined
  if (errnoOf(ended) === 'ENOENT')
    return new Fault('firewall-missing', `${program} is not installed: install the package iptables`, cause)
  if (errnoOf(ended) === 'EACCES')
    return new Fault('firewall-missing', `${program} cannot be executed: install the package iptables again`, cause)
  if (/permission denied|operation not permitted|must be root/i.test(message))
    return new Fault(
      'firewall-forbidden',
      `${program} is not allowed to use the packet filter: run stagerd as root, with CAP_NET_ADMIN and CAP_NET_RAW (${message})`,
      cause,
    )
  if (/is incompatible, use 'nft' tool/.test(message))
    return new Fault(
      'firewall-unreadable',
      `${program} cannot change the table "filter", because it contains rules of nft: move these to a table of their own`,
      cause,
    )
  if (/missing kernel module|no chain\/target\/match by that name|extension .* not supported/i.test(message))
    return new Fault(
      'firewall-incapable',
      `the kernel or ${program} lacks a part that the rules need: load the modules xt_comment, xt_conntrack and ipt_REJECT, and install the complete package iptables (${message})`,
      cause,
    )
  return new Fault('firewall-failed', message, cause)
}
