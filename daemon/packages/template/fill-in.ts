import { evaluateTemplate } from './evaluate-template.js'
import { parseTemplate } from './parse-template.js'
import type { Delimiters } from './template-syntax.js'
import type { TemplateData } from './template-values.js'

export const DEFAULT_DELIMITERS: Delimiters = { left: '{{', right: '}}' }

/** `text` with its placeholders filled in. Throws `DocumentSyntaxError`. */
export function fillIn(text: string, data: TemplateData, delimiters: Delimiters = DEFAULT_DELIMITERS): string {
  return evaluateTemplate(parseTemplate(text, delimiters), data)
}
