import type { Command } from 'commander'
import { beforeAll, describe, expect, it } from 'vitest'
import { listDefinitions } from '../../daemon/settings/settings.js'
import { renderPage } from '../../scripts/documents.d/man-page.js'
import { pagesOf } from '../../scripts/documents.d/pages.js'
import { stagectlCommand } from '../../scripts/documents.d/stagectl-command.js'

let stagectl: Command
let pages: ReadonlyMap<string, string>
beforeAll(async () => {
  stagectl = await stagectlCommand()
  pages = new Map(pagesOf(stagectl, '1.2.3').map((page) => [`${page.name}.${page.section}`, renderPage(page)]))
})

/** As a reader sees it: without the escapes of roff. */
const textOf = (name: string) => pages.get(name)!.replaceAll('\\-', '-').replaceAll('\\fB', '').replaceAll('\\fR', '')

describe('the manual', () => {
  it('has a page for each program, each command, and the settings', () => {
    const commands = stagectl.commands
      .filter((one) => one.name() !== '__complete')
      .map((one) => `stagectl-${one.name()}.1`)
    expect([...pages.keys()].sort()).toEqual(['stagectl.1', 'stagerd.8', 'stagerd.toml.5', ...commands].sort())
  })

  it('describes every command with every option and its examples, in the words of --help', () => {
    const missing: string[] = []
    const visit = (command: Command, page: string) => {
      const help = command.createHelp()
      const said = [command.description(), ...help.visibleOptions(command).map((one) => help.optionDescription(one))]
      missing.push(...said.filter((text) => !page.includes(text)))
      for (const sub of help.visibleCommands(command)) if (sub.name() !== 'help') visit(sub, page)
    }
    for (const command of stagectl.createHelp().visibleCommands(stagectl))
      if (command.name() !== 'help') visit(command, textOf(`stagectl-${command.name()}.1`))
    expect(missing).toEqual([])
    expect(textOf('stagectl-node.1')).toContain('$ stagectl node gc --dry-run')
    expect(textOf('stagectl.1')).toMatch(/EXIT CODES\n\.PP\n\.nf\n\.RS 4\n *0 {2}success/)
  })

  it('describes every setting as a flag and as a key', () => {
    for (const { key } of listDefinitions()) {
      expect(textOf('stagerd.8')).toContain(`--${key} <`)
      expect(textOf('stagerd.toml.5')).toContain(`${key} = `)
    }
  })

  it('has no line that roff takes for a request by mistake', () => {
    const requests = /^\.(TH|SH|SS|PP|TP|PD( 0)?|nf|fi|RS 4|RE)( |$)/
    for (const [name, page] of pages)
      expect(
        page.split('\n').filter((line) => /^[.']/.test(line) && !requests.test(line)),
        name,
      ).toEqual([])
  })
})
