import { Unavailable } from '../../base/errors.js'
import { describeSystemError } from '../../base/system-error.js'

/** Standard output cannot be written, so that the result of a command does not arrive. */
export class OutputLost extends Unavailable {
  /** @param closedByReader whether the reader has closed the pipe, which is no error of the command */
  constructor(
    cause: Error,
    readonly closedByReader: boolean,
  ) {
    super(
      'output-lost',
      `Standard output cannot be written (${describeSystemError(cause)}): send it to a file or a pipe that takes it.`,
      { cause },
    )
  }
}
