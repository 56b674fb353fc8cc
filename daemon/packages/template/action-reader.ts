import { quote } from '../../../base/fqn.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import type { Word } from './action-words.js'
import { FUNCTIONS, assertKnownFunction } from './template-functions.js'
import type { Expression } from './template-syntax.js'

const KEYWORDS = ['if', 'range', 'else', 'end'] as const

/** Reads the words of one action. Every method throws `DocumentSyntaxError`. */
export class ActionReader {
  #next = 0

  constructor(
    private readonly words: readonly Word[],
    private readonly right: string,
    private readonly depthLeft: number,
  ) {}

  keyword(): (typeof KEYWORDS)[number] | undefined {
    const { kind, text } = this.#peek()
    const found = kind === 'name' ? KEYWORDS.find((one) => one === text) : undefined
    if (found) this.#next += 1
    return found
  }

  takesIf(): boolean {
    const { kind, text } = this.#peek()
    const found = kind === 'name' && text === 'if'
    if (found) this.#next += 1
    return found
  }

  /** `$name :=`; undefined for another action. */
  assigned(): string | undefined {
    const [variable, assign] = this.words.slice(this.#next, this.#next + 2)
    if (variable?.kind !== 'variable' || assign?.kind !== 'assign') return undefined
    this.#next += 2
    return variable.text
  }

  /** `[$key,] [$value] := list` */
  range(): { readonly variables: readonly string[]; readonly over: Expression } {
    const end = this.words.findIndex(({ kind }) => kind === 'assign')
    const declared = end < 0 ? [] : this.words.slice(this.#next, end)
    const wrong = declared.find(({ kind }, index) => kind !== 'variable' || index > 1)
    if (wrong) throw mistake(wrong, 'one or two variables, such as $key, $value')
    if (end >= 0) this.#next = end + 1
    return { variables: declared.map(({ text }) => text), over: this.lastExpression('what to range over') }
  }

  lastExpression(what: string): Expression {
    if (this.#peek().kind === 'end') throw new DocumentSyntaxError(this.#peek().at, what, quote(this.right))
    const found = this.#expression(this.depthLeft)
    this.assertEnd()
    return found
  }

  assertEnd(): void {
    if (this.#peek().kind !== 'end') throw mistake(this.#peek(), `the ${this.right} that closes the action`)
  }

  /** A function with its arguments, or a single operand. */
  #expression(depth: number): Expression {
    const { kind, text, at } = this.#peek()
    if (kind !== 'name' || isBoolean(text)) return this.#operand(depth)
    this.#next += 1
    assertKnownFunction(text, at)
    const first = this.#fieldsOf({ kind: 'call', name: text, args: [], at })
    if (first.kind !== 'call') return first
    const args: Expression[] = []
    const parameters: readonly string[] = FUNCTIONS[text].parameters
    while (args.length < parameters.length) {
      const word = this.#peek()
      if (word.kind === 'end' || word.kind === 'close')
        throw mistake(word, `${parameters[args.length] ?? 'an argument'} for ${text}`)
      args.push(this.#operand(depth))
    }
    return { kind: 'call', name: text, args, at }
  }

  #operand(depth: number): Expression {
    const word = this.#peek()
    const { kind, text, at } = word
    this.#next += 1
    switch (kind) {
      case 'string':
        return { kind: 'literal', value: text, at }
      case 'number':
        return { kind: 'literal', value: Number(text), at }
      case 'variable':
        return this.#fieldsOf({ kind: 'variable', name: text, at })
      case 'dot':
        return { kind: 'dot', at }
      case 'field':
        return this.#fieldsOf({ kind: 'field', of: { kind: 'dot', at }, name: text, at })
      case 'open': {
        if (depth <= 0) throw mistake(word, 'fewer parentheses within each other')
        const inner = this.#expression(depth - 1)
        if (this.#peek().kind !== 'close') throw mistake(this.#peek(), 'the ) that closes the parenthesis')
        this.#next += 1
        return this.#fieldsOf(inner)
      }
      case 'name':
        if (isBoolean(text)) return { kind: 'literal', value: text === 'true', at }
        assertKnownFunction(text, at)
        if (FUNCTIONS[text].parameters.length > 0) throw mistake(word, `parentheses around ${text} and its argument`)
        return this.#fieldsOf({ kind: 'call', name: text, args: [], at })
      case 'close':
      case 'assign':
      case 'end':
        throw mistake(word, 'a value')
    }
  }

  /** `.URI.Host` directly after a value. */
  #fieldsOf(value: Expression): Expression {
    let found = value
    for (let word = this.#peek(); word.kind === 'field' && word.touches; word = this.#peek()) {
      found = { kind: 'field', of: found, name: word.text, at: word.at }
      this.#next += 1
    }
    return found
  }

  #peek(): Word {
    const last = this.words.at(-1)
    const word = this.words[this.#next] ?? last
    if (!word) throw new RangeError('an action has at least the word of its end')
    return word
  }
}

function isBoolean(text: string): boolean {
  return text === 'true' || text === 'false'
}

function mistake({ at, text }: { readonly at: TextPosition; readonly text: string }, expected: string): Error {
  return new DocumentSyntaxError(at, expected, quote(text))
}
