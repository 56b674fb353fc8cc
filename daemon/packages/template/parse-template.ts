import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import { ActionReader } from './action-reader.js'
import { readWords } from './action-words.js'
import type { Delimiters, Expression, Node } from './template-syntax.js'

/** Deeper templates would need as deep a stack to evaluate them. */
const MAX_DEPTH = 64

type Block = {
  readonly at: TextPosition
  readonly word: string
  /** Makes the node of the block, when its `end` is found. */
  readonly close: (body: readonly Node[], otherwise: readonly Node[]) => Node
  readonly body: Node[]
  otherwise: Node[] | undefined
  /** `else if` opens a block that the same `end` closes. */
  readonly closesOuter: boolean
}

/** Parses a template. Throws `DocumentSyntaxError` with the position of the first mistake. */
export function parseTemplate(text: string, { left, right }: Delimiters): readonly Node[] {
  return new TemplateParser(text, { left, right }).parse()
}

class TemplateParser {
  readonly #root: Node[] = []
  readonly #blocks: Block[] = []
  /** Offsets of the beginnings of lines. */
  readonly #lines: number[] = [0]

  constructor(
    private readonly text: string,
    private readonly delimiters: Delimiters,
  ) {
    for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', at + 1)) this.#lines.push(at + 1)
  }

  parse(): readonly Node[] {
    const { text } = this
    const { left } = this.delimiters
    let trimsNext = false
    for (let at = 0; at < text.length;) {
      const found = text.indexOf(left, at)
      const start = found < 0 ? text.length : found
      let inside = start + left.length
      const trimsBefore = found >= 0 && /^-[ \t\r\n]$/.test(text.slice(inside, inside + 2))
      if (trimsBefore) inside += 1
      this.#add(trimmed(text.slice(at, start), trimsNext, trimsBefore))
      if (found < 0) break
      const { end, trims } = this.#action(start, inside)
      at = end
      trimsNext = trims
    }
    const open = this.#blocks.at(-1)
    if (open) throw new DocumentSyntaxError(open.at, `an end of this ${open.word}`, 'the end of the text')
    return this.#root
  }

  #add(text: string): void {
    if (text !== '') this.#nodes().push({ kind: 'text', text })
  }

  #nodes(): Node[] {
    const block = this.#blocks.at(-1)
    return block ? (block.otherwise ?? block.body) : this.#root
  }

  /** @returns the offset after the action, and whether it trims the text after it */
  #action(start: number, inside: number): { readonly end: number; readonly trims: boolean } {
    const { right } = this.delimiters
    const positionOf = (offset: number) => this.#positionOf(offset)
    const comment = /^[ \t\r\n]*\/\*/.exec(this.text.slice(inside, inside + 64))
    if (comment) return this.#comment(start, inside + comment[0].length)
    const { words, end, trims } = readWords(this.text, inside, right, positionOf)
    this.#execute(new ActionReader(words, right, MAX_DEPTH), positionOf(start))
    return { end, trims }
  }

  #comment(start: number, inside: number): { readonly end: number; readonly trims: boolean } {
    const { right } = this.delimiters
    const close = this.text.indexOf('*/', inside)
    const [, space = '', dash = ''] = /^([ \t\r\n]*)(-?)/.exec(this.text.slice(close + 2)) ?? []
    const trims = space !== '' && dash !== ''
    const end = close + 2 + space.length + (trims ? 1 : 0)
    if (close < 0 || !this.text.startsWith(right, end))
      throw new DocumentSyntaxError(this.#positionOf(start), `a comment that ends with */${right}`, 'another end')
    return { end: end + right.length, trims }
  }

  #execute(reader: ActionReader, at: TextPosition): void {
    switch (reader.keyword()) {
      case 'if': {
        const condition = reader.lastExpression('a condition')
        this.#open('if', at, (then, otherwise) => ({ kind: 'if', condition, then, else: otherwise }))
        return
      }
      case 'range': {
        const { variables, over } = reader.range()
        this.#open('range', at, (body, otherwise) => ({ kind: 'range', over, variables, body, else: otherwise }))
        return
      }
      case 'else':
        this.#else(reader, at)
        return
      case 'end':
        reader.assertEnd()
        this.#end(at)
        return
      case undefined: {
        const name = reader.assigned()
        const value = reader.lastExpression('a value')
        this.#nodes().push(name === undefined ? { kind: 'print', value } : { kind: 'set', name, value })
      }
    }
  }

  #open(word: string, at: TextPosition, close: Block['close'], closesOuter = false): void {
    if (this.#blocks.length >= MAX_DEPTH)
      throw new DocumentSyntaxError(at, `at most ${MAX_DEPTH} blocks within each other`, 'one more')
    this.#blocks.push({ at, word, close, body: [], otherwise: undefined, closesOuter })
  }

  #else(reader: ActionReader, at: TextPosition): void {
    const block = this.#blocks.at(-1)
    if (!block || block.otherwise)
      throw new DocumentSyntaxError(at, 'an if or a range before it', 'an else without one')
    block.otherwise = []
    if (!reader.takesIf()) {
      reader.assertEnd()
      return
    }
    const condition: Expression = reader.lastExpression('a condition')
    this.#open('if', at, (then, otherwise) => ({ kind: 'if', condition, then, else: otherwise }), true)
  }

  #end(at: TextPosition): void {
    for (;;) {
      const block = this.#blocks.pop()
      if (!block) throw new DocumentSyntaxError(at, 'an if or a range before it', 'an end without one')
      this.#nodes().push(block.close(block.body, block.otherwise ?? []))
      if (!block.closesOuter) return
    }
  }

  #positionOf(offset: number): TextPosition {
    let low = 0
    let high = this.#lines.length - 1
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((this.#lines[middle] ?? 0) <= offset) low = middle
      else high = middle - 1
    }
    return { line: low + 1, column: offset - (this.#lines[low] ?? 0) + 1 }
  }
}

function trimmed(text: string, start: boolean, end: boolean): string {
  const begun = start ? text.replace(/^[ \t\r\n]+/, '') : text
  if (!end) return begun
  let length = begun.length
  while (length > 0 && ' \t\r\n'.includes(begun[length - 1] ?? '?')) length -= 1
  return begun.slice(0, length)
}
