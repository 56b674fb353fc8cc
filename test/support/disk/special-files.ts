/** A file that is not on the disk: what is written to it goes to a function, and what is read comes from one. */
export interface SpecialFile {
  write(data: Buffer): void
  read(): Buffer
}

/** The special files of a file system, and what they had when they were opened: a reader gets that in pieces. */
export class SpecialFiles {
  readonly #files: ReadonlyMap<string, SpecialFile>
  readonly #contents = new Map<number, Buffer>()
  #last = 0

  constructor(files: Readonly<Record<string, SpecialFile>>) {
    this.#files = new Map(Object.entries(files))
  }

  at(path: string): SpecialFile | undefined {
    return this.#files.get(path)
  }

  /** Returns a handle. */
  open(file: SpecialFile): number {
    this.#contents.set(++this.#last, file.read())
    return this.#last
  }

  read(handle: number, offset: number, size: number): Buffer {
    return this.#contents.get(handle)!.subarray(offset, offset + size)
  }

  close(handle: number): void {
    this.#contents.delete(handle)
  }
}
