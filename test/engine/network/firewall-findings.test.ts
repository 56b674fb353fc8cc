import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { hasRules } from '../../../isolation/docker/firewall-findings.js'
import type { Finding } from '../../../isolation/isolation.js'
import { compileProgram } from '../../support/compile-program.js'

let installation: string
let program: string

beforeAll(async () => {
  installation = await mkdtemp(path.join(tmpdir(), 'stagerd-firewall-'))
  program = await compileProgram(path.join(import.meta.dirname, 'examine-firewall.ts'), installation)
})

afterAll(() => rm(installation, { recursive: true }))

/**
 * Examines the firewall of a new network and mount namespace.
 *
 * @param prepare shell commands in it, before
 * @param wrapper a program and its arguments that start the examination
 * @param check a shell command after it, which must succeed
 */
async function examine(prepare: string, wrapper = '', check = ''): Promise<Record<string, Finding>> {
  const script = [prepare, `${wrapper} "$@"`, check].join('\n')
  const { stdout } = await promisify(execFile)('unshare', [
    ...['--net', '--mount', '--propagation=private', '--', 'sh', '-ec', script, 'sh'],
    ...[process.execPath, program],
  ])
  const findings = JSON.parse(stdout) as Finding[]
  return Object.fromEntries(findings.map((finding) => [finding.subject, finding]))
}

/** Hides all programs of /usr/sbin but iptables-save, which becomes a script. */
const instead = (script: string, mode = '755') =>
  `mount -t tmpfs none /usr/sbin; echo '${script}' >/usr/sbin/iptables-save; chmod ${mode} /usr/sbin/iptables-save`

describe('doctor examines the firewall', () => {
  it('and finds nothing bad where rules can be set, and sets none', async () => {
    const { firewall, 'firewall IPv6': ipv6 } = await examine('', '', '! iptables-save | grep stagerd')
    expect(firewall).toMatchObject({ verdict: 'good' })
    expect(ipv6).toMatchObject({ verdict: 'good', message: 'IPv6 is disabled on the bridge of each launch' })
  })

  it('and says that iptables is missing, or cannot be run', async () => {
    const missing = await examine('mount -t tmpfs none /usr/sbin')
    expect(missing.firewall).toMatchObject({
      verdict: 'bad',
      message: 'no launch can start, because iptables-save is not installed: install the package iptables',
    })
    expect((await examine(instead('#!/bin/sh', '644'))).firewall?.message).toBe(
      'no launch can start, because iptables-save cannot be executed: install the package iptables again',
    )
  })

  it('and says that IPv6 cannot be disabled', async () => {
    const { 'firewall IPv6': ipv6 } = await examine(
      'mount --bind /proc/sys /proc/sys; mount -o remount,bind,ro /proc/sys',
    )
    expect(ipv6).toMatchObject({
      verdict: 'bad',
      message: 'no launch can start, because IPv6 cannot be disabled on bridges: make /proc/sys writable for stagerd',
    })
  })

  it('and says that it lacks the capability', async () => {
    const { firewall } = await examine('', 'setpriv --bounding-set=-net_admin --')
    expect(firewall).toMatchObject({
      verdict: 'bad',
      message: expect.stringMatching(
        /^no launch can start, because iptables-save is not allowed to use the packet filter: run stagerd as root, with CAP_NET_ADMIN/,
      ) as string,
    })
  })

  it('and says that rules of nft keep iptables from the table', async () => {
    // What iptables 1.8.9 prints for a table with a set, which only nft can make.
    const saved = String.raw`printf "# Table \140filter\047 is incompatible, use \047nft\047 tool.\n" >/usr/sbin/saved`
    const { firewall } = await examine(`${instead('#!/bin/sh\ncat /usr/sbin/saved')}; ${saved}`)
    expect(firewall).toMatchObject({
      verdict: 'bad',
      message:
        'no launch can start, because iptables cannot read the table "filter", because it contains rules of nft: move these to a table of their own',
    })
  })

  it('and says that the other variant of iptables has rules too', async () => {
    const { 'firewall backend': backend } = await examine('iptables-legacy -A INPUT -j DROP')
    expect(backend).toMatchObject({
      verdict: 'slow',
      message: expect.stringMatching(/^there are rules of iptables-legacy beside those of iptables-nft/) as string,
    })
  })
})

describe('a table', () => {
  it.each([
    [':INPUT ACCEPT [0:0]\n', false],
    [':INPUT DROP [0:0]\n', true],
    [':INPUT ACCEPT [0:0]\n-A INPUT -j DROP\n', true],
  ])('matters if it has rules or a policy: %j', (saved, matters) => {
    expect(hasRules(saved)).toBe(matters)
  })
})
