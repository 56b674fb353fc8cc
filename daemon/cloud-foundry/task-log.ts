/** The `task_log` of an answer: lines, each with its local time. */
export class TaskLog {
  #text: string

  /**
   * @param text what an earlier process has written
   * @param onStep gets each line of the service itself, when it is added
   */
  constructor(
    text = '',
    private readonly onStep: (line: string) => void = () => undefined,
  ) {
    this.#text = text
  }

  get text(): string {
    return this.#text
  }

  clear(): void {
    this.#text = ''
  }

  /** A step of the service, at this moment. */
  add(line: string): void {
    this.onStep(line)
    this.addAt(line, new Date())
  }

  addAt(line: string, time: Date): void {
    this.#text += `[${stamp(time)}] ${line}\n`
  }
}

function stamp(time: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}
