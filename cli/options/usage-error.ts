import { StagerdError } from '../../base/errors.js'

/** The command line is invalid. The command has changed nothing. */
export class UsageError extends StagerdError {
  override readonly kind = 'bad-input'

  constructor(message: string) {
    super('usage', message)
  }
}
