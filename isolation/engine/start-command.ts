import { posix } from 'node:path'

/** The first program that a shell executes for a command. */
export interface FirstProgram {
  /** The directory in which it is executed. */
  readonly directory: string
  /** Its name, with or without a slash, and its arguments; undefined for an argument that only the shell can tell. */
  readonly words: readonly [string, ...(string | undefined)[]]
  readonly environment: Readonly<Record<string, string>>
}

/** Changes nothing that matters here. */
const WITHOUT_EFFECT: ReadonlySet<string> = new Set([':', 'true', 'set', 'umask', 'ulimit', 'trap'])

/** What a shell executes itself: the reserved words and built-in commands of sh, bash and BusyBox. */
const SHELL_ITSELF: ReadonlySet<string> = new Set(
  (
    'if then else elif fi for while until do done case esac in select function time coproc [[ . source [ alias bg bind ' +
    'break builtin caller compgen complete continue declare dirs disown echo enable eval exit false fc fg getopts hash ' +
    'help history jobs kill let local logout mapfile popd printf pushd pwd read readarray readonly return shift shopt ' +
    'suspend test times type typeset unalias unset wait'
  ).split(' '),
)

const ASSIGNMENT = /^([A-Za-z_][A-Za-z0-9_]*)=(.*)$/s

/**
 * Reads a start command as `/bin/sh` does, as far as it is simple: assignments, `cd`, `export` and similar, followed by a
 * program whose failure is the result of the whole command. Undefined for anything else: the answer must be certain.
 */
export function firstProgram(
  command: string,
  start: { readonly workingDirectory: string; readonly environment: Readonly<Record<string, string>> },
): FirstProgram | undefined {
  let environment: Record<string, string> = { ...start.environment }
  let directory = start.workingDirectory
  const reader = new CommandReader(command)
  for (;;) {
    const read = reader.next(environment)
    if (!read) return undefined
    const { words, then } = read
    const assigned: Record<string, string> = {}
    while (words.length > 0) {
      const [, name, value] = ASSIGNMENT.exec(words[0] ?? '') ?? []
      if (name === undefined || value === undefined) break
      assigned[name] = value
      words.shift()
    }
    if (words[0] === 'exec' || words[0] === 'command') words.shift()
    const [name, ...rest] = words
    if (name === undefined && words.length > 0) return undefined
    const goesOn = then === '&&' || then === ';'
    if (name === undefined || name === 'export') {
      if (!goesOn) return undefined
      environment = { ...environment, ...assigned }
      for (const word of rest) {
        const [, key, value] = ASSIGNMENT.exec(word ?? '') ?? []
        if (key === undefined || value === undefined) return undefined
        environment[key] = value
      }
    } else if (name === 'cd') {
      const [target] = rest
      // With `;` the shell goes on where it is if there is no such directory.
      if (then !== '&&' || target === undefined || rest.length > 1 || target.startsWith('-')) return undefined
      directory = posix.resolve(directory, target)
    } else if (WITHOUT_EFFECT.has(name)) {
      if (!goesOn) return undefined
    } else {
      if (SHELL_ITSELF.has(name)) return undefined
      // After `;` or `||` the result is that of another program.
      if (then !== 'end' && then !== '&&') return undefined
      return { directory, words: [name, ...rest], environment: { ...environment, ...assigned } }
    }
  }
}

interface SimpleCommand {
  /** Undefined for a word that only the shell can tell. */
  readonly words: (string | undefined)[]
  readonly then: 'end' | '&&' | ';'
}

/** Reads one simple command after the other. */
class CommandReader {
  #at = 0

  constructor(private readonly text: string) {}

  /** Undefined at the end, and for what is not a simple command. */
  next(environment: Readonly<Record<string, string>>): SimpleCommand | undefined {
    const words: (string | undefined)[] = []
    for (;;) {
      this.#take(/[ \t]*(?:\\\n[ \t]*)*(?:#[^\n]*)?/y)
      if (this.#at === this.text.length) return words.length > 0 ? { words, then: 'end' } : undefined
      // An empty line, also at the end of all.
      if (this.#take(/[;\n]\s*/y) !== undefined) {
        if (words.length === 0) continue
        return { words, then: this.#at === this.text.length ? 'end' : ';' }
      }
      if (this.#take(/&&\s*/y) !== undefined) return words.length > 0 ? { words, then: '&&' } : undefined
      const redirects = this.#take(/[0-9]*(?:>>|>\||>|<)(?!<)&?[ \t]*/y) !== undefined
      const word = this.#word(environment)
      if (word === 'no word') return undefined
      if (!redirects) words.push(word === 'unknown' ? undefined : word.text)
    }
  }

  #word(environment: Readonly<Record<string, string>>): { readonly text: string } | 'unknown' | 'no word' {
    const from = this.#at
    let text = ''
    let isKnown = true
    for (;;) {
      const plain = this.#take(/[\w@%+=:,./^-]+/y)
      const single = plain ?? this.#take(/'[^']*'/y)?.slice(1, -1)
      const escaped = single ?? this.#take(/\\[^\n]/y)?.slice(1)
      if (escaped !== undefined) text += escaped
      else if (this.#take(/"/y) !== undefined) {
        const inside = this.#quoted(environment)
        if (inside === undefined) isKnown = false
        else text += inside
        if (this.#take(/"/y) === undefined) return 'no word'
      } else {
        const variable = this.#variable(environment)
        if (variable !== undefined) {
          // Unquoted, the shell splits the value and expands its wildcards.
          if (/^[^\s*?[\]]+$/.test(variable)) text += variable
          else isKnown = false
        } else if (this.#take(/[*?[\]~{}!]/y) !== undefined) isKnown = false
        else break
      }
    }
    if (this.#at === from) return 'no word'
    // A word that ends at a character that is not read here, such as a backquote or a parenthesis.
    if (!/^(?:$|[\s;&<>])/.test(this.text.slice(this.#at, this.#at + 1))) return 'no word'
    return isKnown ? { text } : 'unknown'
  }

  /** What is in double quotes; undefined if only the shell can tell. */
  #quoted(environment: Readonly<Record<string, string>>): string | undefined {
    let text = ''
    for (;;) {
      const plain = this.#take(/[^"\\$`]+/y) ?? this.#take(/\\["\\$`]/y)?.slice(1) ?? this.#take(/\\/y)
      const more = plain ?? this.#variable(environment)
      if (more === undefined) return this.text[this.#at] === '"' ? text : undefined
      text += more
    }
  }

  #variable(environment: Readonly<Record<string, string>>): string | undefined {
    const [, bare, braced] = this.#match(/\$(?:([A-Za-z_]\w*)|\{([A-Za-z_]\w*)\})/y) ?? []
    const name = bare ?? braced
    return name === undefined ? undefined : (environment[name] ?? '')
  }

  #take(pattern: RegExp): string | undefined {
    return this.#match(pattern)?.[0]
  }

  /** @param pattern sticky */
  #match(pattern: RegExp): RegExpExecArray | undefined {
    pattern.lastIndex = this.#at
    const match = pattern.exec(this.text)
    if (match) this.#at = pattern.lastIndex
    return match ?? undefined
  }
}
