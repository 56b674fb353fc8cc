import { EmbeddedActionsParser, EOF, type IToken } from 'chevrotain'
import { Nesting } from '../syntax/nesting.js'
import type { Entry, Value } from './document.js'
import { positionOf, SyntaxMessages } from './syntax-messages.js'
import {
  BlockEnd,
  BlockStart,
  Body,
  Colon,
  Comma,
  ListEnd,
  ListStart,
  Newline,
  QuotedString,
  TOKENS,
  Word,
} from './tokens.js'
import { parseBody, parseQuotedString } from './strings.js'

/**
 *     document : entries
 *     entries  : separator* ( entry ( separator+ entry )* separator* )?
 *     entry    : key colon? value
 *     value    : quoted | word | newline* ( '{' entries '}' | '[' items ']' | body )
 *
 * An instance keeps the state of one parse. Instances can be reused, but not by two parses at the same time.
 */
export class DocumentParser extends EmbeddedActionsParser {
  readonly #nesting = new Nesting()

  constructor() {
    super(TOKENS, { maxLookahead: 1, errorMessageProvider: new SyntaxMessages() })
    this.performSelfAnalysis()
  }

  readonly document = this.RULE('document', (): Entry[] => {
    const entries = this.SUBRULE(this.entries)
    this.CONSUME(EOF)
    return entries
  })

  readonly entries = this.RULE('entries', (): Entry[] => {
    const entries: Entry[] = []
    this.MANY(() => this.SUBRULE(this.separator))
    this.OPTION(() => {
      entries.push(this.SUBRULE(this.entry))
      // A separator may also end the block, so the entry after it is optional.
      this.MANY1({
        GATE: () => isSeparator(this.LA(1)),
        DEF: () => {
          this.AT_LEAST_ONE(() => this.SUBRULE1(this.separator))
          this.OPTION1(() => entries.push(this.SUBRULE1(this.entry)))
        },
      })
    })
    return entries
  })

  readonly separator = this.RULE('separator', () => {
    this.OR([{ ALT: () => this.CONSUME(Comma) }, { ALT: () => this.CONSUME(Newline) }])
  })

  readonly entry = this.RULE('entry', (): Entry => {
    const key = this.OR([{ ALT: () => this.CONSUME(QuotedString) }, { ALT: () => this.CONSUME(Word) }])
    this.OPTION(() => this.CONSUME(Colon))
    const value = this.SUBRULE(this.value)
    return this.ACTION(() => ({
      key: key.tokenType === QuotedString ? parseQuotedString(key) : key.image,
      value,
      at: positionOf(key),
    }))
  })

  readonly value = this.RULE('value', (): Value =>
    this.OR<Value>([
      {
        ALT: () => {
          const token = this.CONSUME(QuotedString)
          return this.ACTION(() => ({ kind: 'string', text: parseQuotedString(token), at: positionOf(token) }))
        },
      },
      { ALT: () => this.SUBRULE(this.bare) },
      { ALT: () => this.SUBRULE(this.bracketed) },
    ]),
  )

  /** An opening bracket may follow on a new line. A string may not: it would be the key of the next entry. */
  readonly bracketed = this.RULE('bracketed', (): Value => {
    const follows = this.#bracketFollows()
    this.MANY({ GATE: () => follows, DEF: () => this.CONSUME(Newline) })
    return this.#nesting.within(
      () => positionOf(this.LA(1)),
      () =>
        this.OR<Value>([
          { ALT: () => this.SUBRULE(this.block) },
          { ALT: () => this.SUBRULE(this.list) },
          {
            ALT: () => {
              const token = this.CONSUME(Body)
              return this.ACTION(() => ({ kind: 'body', text: parseBody(token.image), at: positionOf(token) }))
            },
          },
        ]),
    )
  })

  readonly bare = this.RULE('bare', (): Value => {
    const first = this.CONSUME(Word)
    const rest: IToken[] = []
    // Each run of colons is looked at once: a run may be as long as the document.
    let colons = 0
    const goesOn = () => {
      if (colons === 0 && this.LA(1).tokenType === Colon) colons = this.#colonsBeforeWord()
      return colons > 0 || this.LA(1).tokenType === Word
    }
    this.MANY({
      // `https://example.org` is one word, and `a :` and `a: b` are not.
      GATE: () => touches(this.LA(0), this.LA(1)) && goesOn(),
      DEF: () => {
        rest.push(this.OR([{ ALT: () => this.CONSUME(Colon) }, { ALT: () => this.CONSUME1(Word) }]))
        colons = Math.max(0, colons - 1)
      },
    })
    return this.ACTION(() => ({
      kind: 'string',
      text: [first, ...rest].map(({ image }) => image).join(''),
      at: positionOf(first),
    }))
  })

  readonly block = this.RULE('block', (): Value => {
    const start = this.CONSUME(BlockStart)
    const entries = this.SUBRULE(this.entries)
    this.CONSUME(BlockEnd)
    return this.ACTION(() => ({ kind: 'block', entries, at: positionOf(start) }))
  })

  readonly list = this.RULE('list', (): Value => {
    const items: Value[] = []
    const start = this.CONSUME(ListStart)
    this.MANY(() => this.SUBRULE(this.separator))
    this.OPTION(() => {
      items.push(this.SUBRULE(this.value))
      this.MANY1({
        GATE: () => isSeparator(this.LA(1)),
        DEF: () => {
          this.AT_LEAST_ONE(() => this.SUBRULE1(this.separator))
          this.OPTION1(() => items.push(this.SUBRULE1(this.value)))
        },
      })
    })
    this.CONSUME(ListEnd)
    return this.ACTION(() => ({ kind: 'list', items, at: positionOf(start) }))
  })

  #bracketFollows(): boolean {
    let ahead = 1
    while (this.LA(ahead).tokenType === Newline) ahead += 1
    return [BlockStart, ListStart, Body].includes(this.LA(ahead).tokenType)
  }

  /** None unless a word follows them without a gap. */
  #colonsBeforeWord(): number {
    let ahead = 1
    while (this.LA(ahead).tokenType === Colon && touches(this.LA(ahead), this.LA(ahead + 1))) ahead += 1
    return this.LA(ahead).tokenType === Word ? ahead - 1 : 0
  }
}

function isSeparator({ tokenType }: IToken): boolean {
  return tokenType === Comma || tokenType === Newline
}

function touches(one: IToken, next: IToken): boolean {
  return next.tokenType !== EOF && (one.endOffset ?? one.startOffset) + 1 === next.startOffset
}
