import { StagerdError } from '../../base/errors.js'

/** The command line cannot be understood: nothing was done. */
export class UsageError extends StagerdError {
  constructor(message: string) {
    super('usage', message)
  }
}
