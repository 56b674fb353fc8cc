import type { Command } from 'commander'
import { describeCommand } from '../../daemon/command-line.js'
import { blocksOfSettings, settingsFileText } from '../../daemon/settings/settings-file-text.js'
import { partsOf } from './command-parts.js'
import { bold, entry, heading, paragraphs, type Page } from './man-page.js'
import { tomlValue } from '../../daemon/settings/toml-value.js'

/** All pages: one for each program, each command of stagectl, and the settings file. */
export function pagesOf(stagectl: Command, version: string): readonly Page[] {
  const commands = stagectl
    .createHelp()
    .visibleCommands(stagectl)
    .filter((one) => one.name() !== 'help')
  return [
    daemonPage(version),
    settingsPage(version),
    {
      name: 'stagectl',
      section: 1,
      version,
      summary: summaryOf(stagectl),
      parts: [
        ...partsOf(stagectl, ['stagectl'], false),
        heading('commands'),
        ...commands.map((one) => entry(`${bold(`stagectl-${one.name()}`)}(1)`, one.description())),
        seeAlso('stagerd(8)'),
      ],
    },
    ...commands.map((command) => ({
      name: `stagectl-${command.name()}`,
      section: 1,
      version,
      summary: summaryOf(command),
      parts: [...partsOf(command, ['stagectl', command.name()]), seeAlso('stagectl(1)', 'stagerd(8)')],
    })),
  ]
}

function daemonPage(version: string): Page {
  const command = describeCommand(version)
  return {
    name: 'stagerd',
    section: 8,
    version,
    summary: summaryOf(command),
    parts: [...partsOf(command, ['stagerd']), seeAlso('stagerd.toml(5)', 'stagectl(1)')],
  }
}

function settingsPage(version: string): Page {
  return {
    name: 'stagerd.toml',
    section: 5,
    version,
    summary: 'settings of stagerd',
    parts: [
      heading('description'),
      paragraphs(introduction()),
      heading('settings'),
      ...blocksOfSettings().flatMap(({ about, settings }) => [
        ...settings.slice(0, -1).map((one) => `.TP\n${term(one)}\n.PD 0`),
        `${entry(settings.slice(-1).map(term).join(''), about)}\n.PD`,
      ]),
      seeAlso('stagerd(8)'),
    ],
  }
}

/** What the file itself says first. */
function introduction(): string {
  const [head = ''] = settingsFileText().split(/\n\n# (?!Each|`)/)
  return head
    .split(/\n#?\n/)
    .map((paragraph) => paragraph.replace(/^# /gm, '').replaceAll('\n', ' '))
    .join('\n')
}

function term({ key, example, default: value }: { key: string; example?: string; default: string }): string {
  return `${bold(key)} = ${tomlValue(example ?? value).replaceAll('-', '\\-')}`
}

function summaryOf(command: Command): string {
  const [first = ''] = command.description().split(/\.(?:\s|$)/)
  return first.charAt(0).toLowerCase() + first.slice(1)
}

function seeAlso(...pages: readonly string[]): string {
  return `${heading('see also')}\n${pages.map((page) => page.replace(/^[^(]+/, (name) => bold(name))).join(', ')}`
}
