import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readlink, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { messageOf } from '../../base/errors.js'
import { runProcess } from '../../base/run-process.js'
import { furnish, install, stageSite, systemctl, uninstall } from './support/installation.js'

/** The first installation compiles a library. */
const MINUTES = 60_000
const DROP_IN = '/run/systemd/system/stagerd.service.d/trial.conf'
/** There, systemd has a mount namespace of its own (scripts/lib/machine-init), and a service leaves that, whatever its unit says. */
const IS_SPLIT =
  Number(/\d+/.exec((await systemctl('--version')).stdout)?.[0]) >= 258 &&
  !existsSync('/sys/fs/cgroup/cgroup.controllers')
let directory: string

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-service-'))
  await mkdir(path.dirname(DROP_IN), { recursive: true })
  await install()
  await furnish()
}, 15 * MINUTES)

afterAll(async () => {
  await rm(path.dirname(DROP_IN), { recursive: true })
  await uninstall('--purge')
  await rm(directory, { recursive: true })
})

/** Restarts the service with more lines in its unit. Without lines, it is the unit that was installed. */
async function restartWith(lines: string): Promise<void> {
  await writeFile(DROP_IN, `[Service]\n${lines}\n`)
  await systemctl('daemon-reload')
  await systemctl('reset-failed', 'stagerd.service')
  await systemctl('restart', 'stagerd.service')
}

const mainPid = async () => (await systemctl('show', '--property=MainPID', '--value', 'stagerd.service')).stdout

/** Of the service, since its last start, with these fields. */
async function entries(...fields: string[]): Promise<readonly Readonly<Record<string, string>>[]> {
  const { stdout } = await runProcess('journalctl', ['--unit=stagerd', '--output=json', ...fields])
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, string>)
}

describe('the journal', () => {
  it('has the settings in use, levels, and who has changed what, in fields of its own', async () => {
    expect(await entries(`_PID=${await mainPid()}`, 'STAGERD_SETTINGS_STATE_DIR=/var/lib/stagerd')).toMatchObject([
      {
        PRIORITY: '6',
        SYSLOG_IDENTIFIER: 'stagerd',
        _TRANSPORT: 'journal',
        STAGERD_SETTINGS_SOCKET: '/run/stagerd/stagerd.sock',
      },
    ])
    expect((await entries('STAGERD_AUDIT_OPERATION=createStager')).map(({ PRIORITY }) => PRIORITY)).toEqual(['6'])
  })

  it('has the cause of a start that failed', async () => {
    await expect(restartWith('Environment=STAGERD_CONCURRENCY=many')).rejects.toThrow()
    expect(await entries('STAGERD_ERROR_CODE=bad-setting')).toMatchObject([
      { PRIORITY: '3', MESSAGE: 'STAGERD_CONCURRENCY: "many" is not a whole number from 1 to 999999999.' },
    ])
  })
})

/** What goes wrong with a directive: undefined if the service starts, and stages what has all that a package may have. */
async function trial(directive: string): Promise<string | undefined> {
  try {
    await restartWith(directive)
  } catch {
    return 'it does not start'
  }
  try {
    await stageSite(`trial-${directive.toLowerCase().replace(/[^a-z]+/g, '-')}-end`, directory)
    return undefined
  } catch (error) {
    return `it does not stage: ${messageOf(error)}`
  }
}

/** A mount namespace of its own: the Engine does not see what the daemon mounts for /stagerfs. */
const HIDING = [
  'PrivateDevices=yes',
  'PrivateMounts=yes',
  'PrivateTmp=yes',
  'PrivateTmp=yes\nMountFlags=shared',
  'ProcSubset=pid',
  'ProtectControlGroups=yes',
  'ProtectHome=yes',
  'ProtectKernelLogs=yes',
  'ProtectKernelModules=yes',
  'ProtectKernelTunables=yes',
  'ProtectProc=invisible',
  'ProtectSystem=yes',
]

const TOO_STRICT = [
  'DynamicUser=yes',
  'MemoryDenyWriteExecute=yes',
  'PrivateNetwork=yes',
  'PrivateUsers=yes',
  'RestrictAddressFamilies=~AF_INET',
  'RestrictAddressFamilies=~AF_NETLINK',
  'RestrictNamespaces=yes',
  'RestrictSUIDSGID=yes',
  'SystemCallFilter=~@mount',
  'SystemCallFilter=~@privileged',
  'UMask=0077',
  'User=daemon',
  'CapabilityBoundingSet=~CAP_CHOWN',
  'CapabilityBoundingSet=~CAP_DAC_OVERRIDE',
  'CapabilityBoundingSet=~CAP_FOWNER',
  'CapabilityBoundingSet=~CAP_NET_ADMIN',
  'CapabilityBoundingSet=~CAP_SETGID',
  'CapabilityBoundingSet=~CAP_SETUID',
  'CapabilityBoundingSet=~CAP_SYS_ADMIN',
  'CapabilityBoundingSet=~CAP_SYS_CHROOT',
  'CapabilityBoundingSet=~CAP_SYS_PTRACE',
]

/** What can be tried is chosen before any test is declared: a test that is skipped counts as one that failed. */
if (IS_SPLIT)
  it('no directive can be tried here, because a service leaves its mount namespace, whatever its unit says', async () => {
    await restartWith('PrivateMounts=yes')
    expect(await readlink(`/proc/${await mainPid()}/ns/mnt`)).toBe(await readlink('/proc/self/ns/mnt'))
  })
else
  describe('a directive that the unit lacks is one with which stagerd does not work', () => {
    it('and nothing is wrong with the trial itself', async () => {
      expect(await trial('UMask=0022')).toBeUndefined()
    })

    it.each(TOO_STRICT)('%s', async (directive) => {
      expect(await trial(directive)).toMatch(/^it does not/)
    })

    it.each(HIDING)('%s', async (directive) => {
      expect(await trial(directive)).toMatch(/^it does not stage/)
      expect(await readlink(`/proc/${await mainPid()}/ns/mnt`)).not.toBe(await readlink('/proc/self/ns/mnt'))
    })
  })
