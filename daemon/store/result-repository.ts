import type { Result } from '../model/result.js'
import type { Package } from '../packages/package.js'
import type { Ref } from './repositories.js'

/** What a package keeps of its history. The newest result is always kept. */
export interface HistoryLimits {
  readonly results: number
  /** Of all data but that of the package itself. */
  readonly bytes: number
}

export interface PackageHistory {
  readonly package: Package
  /** Newest first. */
  readonly results: readonly Result[]
}

/** The results that packages keep. Each method is one transaction; stagings add theirs through the ledger. */
export interface ResultRepository {
  /** Throws `NotFound` (`package-not-found`). */
  history(ref: Ref): Promise<PackageHistory>
  /**
   * Makes the result with this number the state of the package, which is `ready` then; by default the newest one that it
   * does not have now. What it had is kept too. Throws `NotFound` (`package-not-found`, `no-such-result`,
   * `no-earlier-result`), `Conflict` (`package-busy`, `same-result`), `Refused` (`package-quota`).
   */
  rollback(ref: Ref, number?: number): Promise<{ readonly package: Package; readonly to: number }>
}
