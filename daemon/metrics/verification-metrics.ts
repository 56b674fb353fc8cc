import { Counter, Gauge, type Registry } from 'prom-client'
import type { VerifiedKind } from '../store/verification-repository.js'

export interface VerificationMetricsParts {
  readonly registry: Registry
  readonly verifications: {
    damaged(kind: VerifiedKind): readonly unknown[]
    foundSinceStart(kind: VerifiedKind): number
  }
  readonly verifier: {
    readonly periodMs: number
    summary(kind: VerifiedKind): { readonly dueBytes: number; readonly oldest: Date | undefined }
    verifiedBytes(kind: VerifiedKind): number
  }
}

const KINDS = ['blob', 'layer'] as const

/** Whether the content of blobs and layers is what was stored, and how old that knowledge is. */
export function measureVerification({ registry, verifications, verifier }: VerificationMetricsParts): void {
  const about = (name: string, help: string) => ({ name, help, labelNames: ['kind'] as const, registers: [registry] })
  new Gauge({
    ...about('stagerd_damaged_objects', 'Blobs and layers whose content is damaged, and that are there still'),
    collect() {
      for (const kind of KINDS) this.set({ kind }, verifications.damaged(kind).length)
    },
  })
  new Gauge({
    ...about('stagerd_verification_oldest_seconds', 'How long ago that was verified which was verified longest ago'),
    collect() {
      this.reset()
      for (const kind of KINDS) {
        const { oldest } = verifier.summary(kind)
        if (oldest) this.set({ kind }, Math.max(0, (Date.now() - oldest.getTime()) / 1000))
      }
    },
  })
  new Gauge({
    ...about('stagerd_verification_due_bytes', 'What was not verified within the period'),
    collect() {
      for (const kind of KINDS) this.set({ kind }, verifier.summary(kind).dueBytes)
    },
  })
  new Gauge({
    name: 'stagerd_verification_period_seconds',
    help: 'In which time everything is to be verified once; 0 if nothing is verified in the background',
    registers: [registry],
    collect() {
      this.set(verifier.periodMs / 1000)
    },
  })
  counter(about('stagerd_damage_found_total', 'How often a blob or a layer was found to be damaged'), (kind) =>
    verifications.foundSinceStart(kind),
  )
  counter(about('stagerd_verified_bytes_total', 'What was read to verify it, in the background'), (kind) =>
    verifier.verifiedBytes(kind),
  )
}

/** Of numbers that are counted elsewhere. */
function counter(
  options: { name: string; help: string; labelNames: readonly ['kind']; registers: Registry[] },
  countOf: (kind: VerifiedKind) => number,
): void {
  new Counter({
    ...options,
    collect() {
      this.reset()
      for (const kind of KINDS) this.inc({ kind }, countOf(kind))
    },
  })
}
