/** The `task_log` of an answer: lines, each with its local time. */
export class TaskLog {
  #text: string

  /** @param text what an earlier process has written */
  constructor(
    text = '',
    private readonly now: () => Date = () => new Date(),
  ) {
    this.#text = text
  }

  get text(): string {
    return this.#text
  }

  clear(): void {
    this.#text = ''
  }

  add(line: string, time = this.now()): void {
    this.#text += `[${stamp(time)}] ${line}\n`
  }
}

function stamp(time: Date): string {
  const two = (number: number) => String(number).padStart(2, '0')
  const date = [time.getFullYear(), two(time.getMonth() + 1), two(time.getDate())].join('-')
  return `${date} ${[time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join(':')}`
}
