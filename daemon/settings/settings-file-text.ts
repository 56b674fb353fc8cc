import type { Definition } from './definition.js'
import { listDefinitions } from './settings.js'
import { tomlValue } from './toml-value.js'

const WIDTH = 120

const HEAD = `Settings of stagerd, /etc/stagerd/stagerd.toml. Each is shown with its default.

Each setting is also a flag (--state-dir) and an environment variable (STAGERD_STATE_DIR). A flag overrides the variable, and the variable overrides this file. A relative path starts from the directory of this file; in a flag or a variable, from the working directory of the daemon.

A table stands for the begin of its names: nats in the table [cloud-foundry] is cloud-foundry-nats. Names may have underscores for hyphens. What is in no table comes before the first one.

\`stagerd --check\` tests the settings. \`systemctl reload stagerd\` applies changes of ${keysThatReload().join(', ')}; others need a restart.`

/** The settings file of an installation: every setting, as a comment, with what the manual says about it. */
export function settingsFileText(): string {
  return `${[comment(HEAD), ...blocksOfSettings().map(blockText)].join('\n\n')}\n`
}

export interface Block {
  readonly about: string
  readonly settings: readonly Definition<unknown>[]
}

/** The settings that share an explanation, in the order of the list. */
export function blocksOfSettings(): readonly Block[] {
  const blocks: { about: string; settings: Definition<unknown>[] }[] = []
  for (const definition of listDefinitions()) {
    const last = blocks.at(-1)
    if (definition.about === undefined && last) last.settings.push(definition)
    else blocks.push({ about: definition.about ?? definition.help, settings: [definition] })
  }
  return blocks
}

export function keysThatReload(): readonly string[] {
  return listDefinitions()
    .filter(({ reloads }) => reloads)
    .map(({ key }) => key)
}

function blockText({ about, settings }: Block): string {
  return [comment(about), ...settings.map((one) => `# ${one.key} = ${tomlValue(one.example ?? one.default)}`)].join(
    '\n',
  )
}

/** As comment lines of at most `WIDTH` characters. */
function comment(text: string): string {
  return text
    .split('\n')
    .flatMap((paragraph) => wrap(paragraph, WIDTH - 2))
    .map((line) => `# ${line}`.trimEnd())
    .join('\n')
}

function wrap(text: string, width: number): readonly string[] {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line !== '' && line.length + 1 + word.length > width) lines.push(word)
    else lines[lines.length - 1] = line === '' ? word : `${line} ${word}`
  }
  return lines
}
