/** The widest column that a sequence can move the cursor to. */
const COLUMNS = 4096

/**
 * How many cells sequences may fill with blanks for each character of an output: a few characters can name thousands, and
 * a stager prints millions. More than any progress bar needs; what goes beyond it is not carried out.
 */
const BLANKS_PER_CHARACTER = 20

/** A control sequence (CSI), or one character. */
const TOKENS = /\x1b\[([0-?]*)[ -/]*([@-~])|[^]/gu

/** Text for which a terminal does more than append: it moves the cursor back, or erases. */
const REWRITES = /[\r\b]|\x1b\[[0-?]*[CDGK]/

/**
 * One line of a terminal, as progress bars use it: they return to its start, or step back, and write over what is there.
 * Sequences without width, such as colours, stay before the character that follows them.
 */
export class TerminalLine {
  readonly #cells: string[] = []
  #column = 0
  #sequences = ''
  #blanks: number

  constructor(output: string) {
    this.#blanks = 2 * COLUMNS + BLANKS_PER_CHARACTER * output.length
    for (const [token, parameter = '', final] of output.matchAll(TOKENS))
      if (final === undefined) this.#write(token)
      else this.#control(token, parameter, final)
  }

  /** Whether a line differs from its output. */
  static isNeededFor(output: string): boolean {
    return REWRITES.test(output)
  }

  /** What the terminal shows. */
  get text(): string {
    return this.#cells.join('') + this.#sequences
  }

  /** The shortest output that leads to the same line, with the cursor at the same place. */
  get output(): string {
    this.#pad(this.#column)
    return `${this.#cells.join('')}\r${this.#cells.slice(0, this.#column).join('')}${this.#sequences}`
  }

  #write(character: string): void {
    if (character === '\r') this.#column = 0
    else if (character === '\b') this.#column = Math.max(0, this.#column - 1)
    else {
      if (!this.#mayFill(this.#column - this.#cells.length)) this.#column = this.#cells.length
      this.#pad(this.#column)
      this.#cells[this.#column] = this.#sequences + character
      this.#sequences = ''
      this.#column += 1
    }
  }

  #control(sequence: string, parameter: string, final: string): void {
    const count = Math.max(1, Number.parseInt(parameter, 10) || 1)
    switch (final) {
      case 'C':
        this.#moveTo(this.#column + count)
        break
      case 'D':
        this.#moveTo(this.#column - count)
        break
      case 'G':
        this.#moveTo(count - 1)
        break
      case 'K':
        this.#erase(parameter)
        break
      default:
        this.#sequences += sequence
    }
  }

  #moveTo(column: number): void {
    this.#column = Math.max(0, Math.min(column, Math.max(this.#cells.length, COLUMNS)))
  }

  /** From the cursor to the end; `1`: from the start to the cursor; `2`: the whole line. The cursor stays. */
  #erase(parameter: string): void {
    if (parameter === '1') {
      if (this.#mayFill(Math.min(this.#cells.length, this.#column + 1))) this.#cells.fill(' ', 0, this.#column + 1)
    } else this.#cells.length = parameter === '2' ? 0 : Math.min(this.#cells.length, this.#column)
  }

  /** Takes so many blanks of those that are left. */
  #mayFill(count: number): boolean {
    if (count > this.#blanks) return false
    this.#blanks -= Math.max(0, count)
    return true
  }

  #pad(length: number): void {
    while (this.#cells.length < length) this.#cells.push(' ')
  }
}
