import { StagerdError } from '../../base/errors.js'

/** The command line is invalid. The command has changed nothing. */
export class UsageError extends StagerdError {
  constructor(message: string) {
    super('usage', message)
  }
}
