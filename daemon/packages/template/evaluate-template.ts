import { quote } from '../../../base/fqn.js'
import { DocumentSyntaxError, type TextPosition } from '../syntax/syntax-error.js'
import { FUNCTIONS, type FunctionName } from './template-functions.js'
import type { Expression, Node } from './template-syntax.js'
import { describeValue, isList, isTrue, type TemplateData, type TemplateValue } from './template-values.js'

/** Loops within loops would keep the daemon busy without an end. */
const MAX_STEPS = 200_000
const MAX_LENGTH = 4 * 1024 * 1024

interface Scope {
  readonly dot: TemplateValue
  readonly variables: Map<string, TemplateValue>
}

/** Fills in a template. Throws `DocumentSyntaxError` with the position of what cannot be filled in. */
export function evaluateTemplate(nodes: readonly Node[], data: TemplateData): string {
  const evaluation = new Evaluation(data)
  const root: TemplateValue = {}
  evaluation.run(nodes, { dot: root, variables: new Map([['', root]]) })
  return evaluation.text()
}

class Evaluation {
  readonly #written: string[] = []
  #length = 0
  #steps = 0

  constructor(private readonly data: TemplateData) {}

  text(): string {
    return this.#written.join('')
  }

  run(nodes: readonly Node[], scope: Scope): void {
    for (const node of nodes) {
      switch (node.kind) {
        case 'text':
          this.#write(node.text, undefined)
          break
        case 'print':
          this.#write(textOf(this.#value(node.value, scope), node.value.at), node.value.at)
          break
        case 'set':
          scope.variables.set(node.name, this.#value(node.value, scope))
          break
        case 'if':
          this.run(isTrue(this.#value(node.condition, scope)) ? node.then : node.else, inner(scope))
          break
        case 'range':
          this.#range(node, scope)
          break
      }
    }
  }

  #range({ over, variables, body, else: otherwise }: Extract<Node, { kind: 'range' }>, scope: Scope): void {
    const entries = entriesOf(this.#value(over, scope), over.at)
    if (entries.length === 0) this.run(otherwise, inner(scope))
    for (const [key, element] of entries) {
      this.#step(over.at)
      const [first, second] = variables
      const own = new Map(scope.variables)
      if (first !== undefined) own.set(first, second === undefined ? element : key)
      if (second !== undefined) own.set(second, element)
      this.run(body, { dot: element, variables: own })
    }
  }

  #value(expression: Expression, scope: Scope): TemplateValue {
    this.#step(expression.at)
    const { at } = expression
    switch (expression.kind) {
      case 'literal':
        return expression.value
      case 'dot':
        return scope.dot
      case 'variable': {
        const found = scope.variables.get(expression.name)
        if (found === undefined)
          throw new DocumentSyntaxError(at, 'a variable that is declared before', quote(`$${expression.name}`))
        return found
      }
      case 'field':
        return fieldOf(this.#value(expression.of, scope), expression.name, at)
      case 'call': {
        const [argument] = expression.args
        const text = argument === undefined ? '' : textOf(this.#value(argument, scope), argument.at)
        const found: TemplateValue | undefined = FUNCTIONS[expression.name as FunctionName].call(this.data, text)
        if (found === undefined) throw new DocumentSyntaxError(at, 'a binding of the job', `none named ${quote(text)}`)
        return found
      }
    }
  }

  #write(text: string, at: TextPosition | undefined): void {
    this.#step(at)
    this.#length += text.length
    if (this.#length > MAX_LENGTH) throw new DocumentSyntaxError(at ?? START, 'at most 4 MiB of text', 'more')
    this.#written.push(text)
  }

  #step(at: TextPosition | undefined): void {
    this.#steps += 1
    if (this.#steps > MAX_STEPS) throw new DocumentSyntaxError(at ?? START, `at most ${MAX_STEPS} steps`, 'more')
  }
}

const START: TextPosition = { line: 1, column: 1 }

function inner({ dot, variables }: Scope): Scope {
  return { dot, variables: new Map(variables) }
}

/** The keys of a map are in order, as in Go. */
function entriesOf(value: TemplateValue, at: TextPosition): (readonly [TemplateValue, TemplateValue])[] {
  if (isList(value)) return value.map((element, index) => [index, element])
  if (value instanceof Map)
    return [...(value as ReadonlyMap<string, TemplateValue>)].sort(([one], [other]) => (one < other ? -1 : 1))
  throw new DocumentSyntaxError(at, 'a list or a map to range over', describeValue(value))
}

function fieldOf(value: TemplateValue, name: string, at: TextPosition): TemplateValue {
  if (value instanceof Map) return (value as ReadonlyMap<string, TemplateValue>).get(name) ?? ''
  if (typeof value === 'object' && !isList(value) && Object.hasOwn(value, name)) {
    const found = (value as Readonly<Record<string, TemplateValue>>)[name]
    if (found !== undefined) return found
  }
  throw new DocumentSyntaxError(at, `something with a field ${name}`, describeValue(value))
}

function textOf(value: TemplateValue, at: TextPosition): string {
  if (typeof value === 'object') throw new DocumentSyntaxError(at, 'a text or a number', describeValue(value))
  return String(value)
}
