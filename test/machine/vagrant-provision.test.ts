import { appendFile, cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'
import { CHECKOUT } from '../engine/support/private-daemon.js'
import { environment } from './support/installation.js'
import { apt } from './support/packages.js'

/** It compiles a library, makes the package, and has Debian made. */
const MINUTES = 60_000
const USER = 'vagrant-test'
let directory: string

const provision = () =>
  runProcess(path.join(CHECKOUT, 'scripts/lib/vagrant-provision'), [USER, 'bash'], { env: environment })
const stagectl = (...args: string[]) => runProcess('runuser', ['-u', USER, '--', 'stagectl', ...args])

beforeAll(async () => {
  directory = await mkdtemp(path.join(tmpdir(), 'stagerd-vagrant-'))
  await runProcess('useradd', ['--create-home', USER])
})

afterAll(async () => {
  await apt('purge', 'stagerd').catch(() => undefined)
  await runProcess('userdel', ['--remove', USER])
  await rm(directory, { recursive: true })
})

it(
  'makes a node of a bare host: the service runs, its user stages an application, and again it changes nothing',
  async () => {
    await provision()

    expect((await runProcess('systemctl', ['is-active', 'stagerd.service'])).stdout).toBe('active')
    await cp(path.join(CHECKOUT, 'examples/apps/bash-plain'), path.join(directory, 'first'), { recursive: true })
    await runProcess('chown', ['-R', USER, directory])
    await stagectl('stage', path.join(directory, 'first'))
    expect(JSON.parse((await stagectl('package', 'show', 'first', '--json')).stdout)).toMatchObject({ state: 'ready' })

    const { stdout, stderr } = await provision()
    expect(stdout + stderr).toMatch(/Complete: 0 made/)
  },
  30 * MINUTES,
)

/** Without a provider, which no host of tests needs to have. */
const validate = () =>
  runProcess('vagrant', ['validate', '--ignore-provider'], {
    cwd: directory,
    env: { ...environment, VAGRANT_HOME: path.join(directory, 'home'), VAGRANT_CHECKPOINT_DISABLE: '1' },
  })

it(
  'Vagrant, which the distribution has, finds the Vagrantfile valid, and would not if it were not',
  async () => {
    await apt('update')
    await apt('install', '--no-install-recommends', 'vagrant')
    const file = path.join(directory, 'Vagrantfile')
    await cp(path.join(CHECKOUT, 'Vagrantfile'), file)
    expect((await validate()).stdout).toContain('validated successfully')

    await appendFile(file, "\nVagrant.configure('2') { |config| config.vm.hostnmae = 'stagerd' }\n")
    await expect(validate()).rejects.toThrow()
  },
  5 * MINUTES,
)
