import { EmbeddedActionsParser, EOF, type IToken } from 'chevrotain'
import { Nesting } from '../syntax/nesting.js'
import { PolicyMessages, positionOf } from './policy-messages.js'
import { BlockEnd, BlockStart, Comma, GroupEnd, GroupStart, If, On, QuotedString, TOKENS, Word } from './tokens.js'

/** The syntax tree of a policy document. read-statements.ts checks and interprets its tokens. */
export interface RealmBlock {
  readonly realm: IToken
  readonly items: readonly Item[]
}

export type Item =
  | { readonly kind: 'claim'; readonly key: IToken; readonly values: readonly IToken[] }
  | {
      readonly kind: 'if'
      readonly subject: IToken
      readonly comparator: IToken
      readonly value: IToken
      readonly items: readonly Item[]
    }

/**
 *     document  : realm*
 *     realm     : 'on'? word '{' item* '}'
 *     item      : '{' item* '}' | 'if' '(' word word value ')' item | claim
 *     claim     : word value ( ',' value )*
 *     value     : word | quoted
 *
 * An instance keeps the state of one parse. Instances can be reused, but not by two parses at the same time.
 */
export class PolicyParser extends EmbeddedActionsParser {
  readonly #nesting = new Nesting()

  constructor() {
    super(TOKENS, { maxLookahead: 1, errorMessageProvider: new PolicyMessages() })
    this.performSelfAnalysis()
  }

  readonly document = this.RULE('document', (): RealmBlock[] => {
    const realms: RealmBlock[] = []
    this.MANY(() => realms.push(this.SUBRULE(this.realm)))
    this.CONSUME(EOF)
    return realms
  })

  readonly realm = this.RULE('realm', (): RealmBlock => {
    this.OPTION(() => this.CONSUME(On))
    const realm = this.CONSUME(Word)
    const items = this.SUBRULE(this.block)
    return { realm, items }
  })

  readonly block = this.RULE('block', (): Item[] => {
    const items: Item[][] = []
    this.CONSUME(BlockStart)
    this.MANY(() => items.push(this.SUBRULE(this.items)))
    this.CONSUME(BlockEnd)
    return this.ACTION(() => items.flat())
  })

  readonly items = this.RULE('items', (): Item[] =>
    this.#nesting.within(
      () => positionOf(this.LA(1)),
      () =>
        this.OR<Item[]>([
          { ALT: () => this.SUBRULE(this.block) },
          { ALT: () => [this.SUBRULE(this.conditional)] },
          { ALT: () => [this.SUBRULE(this.claim)] },
        ]),
    ),
  )

  readonly conditional = this.RULE('conditional', (): Item => {
    this.CONSUME(If)
    this.CONSUME(GroupStart)
    const subject = this.CONSUME(Word)
    const comparator = this.CONSUME1(Word)
    const value = this.SUBRULE(this.value)
    this.CONSUME(GroupEnd)
    const items = this.SUBRULE(this.items)
    return { kind: 'if', subject, comparator, value, items }
  })

  readonly claim = this.RULE('claim', (): Item => {
    const key = this.CONSUME(Word)
    const values = [this.SUBRULE(this.value)]
    this.MANY(() => {
      this.CONSUME(Comma)
      values.push(this.SUBRULE1(this.value))
    })
    return { kind: 'claim', key, values }
  })

  readonly value = this.RULE('value', (): IToken =>
    this.OR([{ ALT: () => this.CONSUME(QuotedString) }, { ALT: () => this.CONSUME(Word) }]),
  )
}
