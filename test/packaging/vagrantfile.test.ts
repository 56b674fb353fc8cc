import path from 'node:path'
import { describe, expect, it } from 'vitest'
import { runProcess } from '../../base/run-process.js'

const CHECKOUT = path.resolve(import.meta.dirname, '../..')

/** Evaluates the Vagrantfile with a configuration that prints what is set. In a machine, Vagrant itself validates it. */
const PRINT_SETTINGS = `
class Settings
  def method_missing(name, *args, **options, &block)
    return block.call(self) if block
    return puts("#{name} #{(args + [options].reject(&:empty?)).inspect}") unless args.empty?
    self
  end
  def respond_to_missing?(*) = true
end
module Vagrant
  def self.configure(_version) = yield(Settings.new)
end
begin
  load 'Vagrantfile'
rescue StandardError => error
  abort error.message
end
`

async function settings(variables: Readonly<Record<string, string>> = {}): Promise<string> {
  return (await runProcess('ruby', ['-e', PRINT_SETTINGS], { cwd: CHECKOUT, env: variables })).stdout
}

describe('the Vagrantfile', () => {
  it('has a box, processors and memory without any variable, and bootstraps all pipelines', async () => {
    const lines = (await settings()).split('\n')

    expect(lines).toContain('box= ["debian/bookworm64"]')
    expect(lines.filter((line) => line === 'cpus= [2]')).toHaveLength(2)
    expect(lines.filter((line) => line === 'memory= [4096]')).toHaveLength(2)
    expect(lines.find((line) => line.startsWith('provision '))).toMatch(/args(: |=>)\["vagrant"\]/)
  })

  it('takes box, processors, memory and pipelines from the environment', async () => {
    const lines = (
      await settings({
        STAGERD_VM_BOX: 'generic/ubuntu2404',
        STAGERD_VM_CPUS: '6',
        STAGERD_VM_MEMORY: '8192',
        STAGERD_VM_PIPELINES: 'nodejs static-site',
      })
    ).split('\n')

    expect(lines).toEqual(expect.arrayContaining(['box= ["generic/ubuntu2404"]', 'cpus= [6]', 'memory= [8192]']))
    expect(lines.find((line) => line.startsWith('provision '))).toMatch(
      /args(: |=>)\["vagrant", "nodejs", "static-site"\]/,
    )
  })

  it.each([
    ['STAGERD_VM_CPUS', 'many'],
    ['STAGERD_VM_CPUS', '0'],
    ['STAGERD_VM_MEMORY', '4GB'],
    ['STAGERD_VM_MEMORY', ''],
  ])('refuses %s=%j', async (name, value) => {
    await expect(settings({ [name]: value })).rejects.toThrow(`${name} is '${value}'`)
  })
})
