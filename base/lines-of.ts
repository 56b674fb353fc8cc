/**
 * The complete lines of a stream of UTF-8, without their line feeds. What follows the last line feed is no line.
 *
 * Not `node:readline`: from Node 24 on it also splits at U+2028 and U+2029, which JSON does not escape.
 */
export async function* linesOf(stream: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const chunk of stream) {
    const [first = '', ...others] = decoder.decode(chunk, { stream: true }).split('\n')
    rest += first
    for (const next of others) {
      yield rest
      rest = next
    }
  }
}
