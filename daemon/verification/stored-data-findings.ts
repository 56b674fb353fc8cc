import { formatFqn } from '../../base/fqn.js'
import type { Finding } from '../../isolation/isolation.js'
import type { PackageRepository } from '../store/repositories.js'
import type { Verifications } from './verifications.js'
import type { Verifier } from './verifier.js'

export interface StoredDataParts {
  readonly verifications: Pick<Verifications, 'damaged' | 'foundSinceStart'>
  readonly verifier: Pick<Verifier, 'summary' | 'periodMs'>
  readonly packages: Pick<PackageRepository, 'list'>
}

const MOST_NAMES = 5

/** What `node doctor` says of the content of blobs and layers. */
export async function storedDataFindings({
  verifications,
  verifier,
  packages,
}: StoredDataParts): Promise<readonly Finding[]> {
  const subject = 'stored data'
  const findings: Finding[] = []
  const damaged = new Set(verifications.damaged('blob').map(({ id }) => id))
  if (damaged.size > 0) {
    const all = await packages.list({})
    const owners = all.filter(({ resource }) => resource && damaged.has(resource.sha256))
    const withOwner = new Set(owners.map(({ resource }) => resource?.sha256))
    const names = [
      ...owners.map((one) => formatFqn('package', one)),
      ...[...damaged].filter((sha256) => !withOwner.has(sha256)).map((sha256) => `sha256:${sha256}`),
    ]
    const shown = `${names.slice(0, MOST_NAMES).join(', ')}${names.length > MOST_NAMES ? ' and more' : ''}`
    findings.push({
      subject,
      verdict: 'bad',
      message: `the data of ${shown} is damaged: upload it again, or stage its package again, and look at the disk of the state directory`,
    })
  }
  const layers = verifications.foundSinceStart('layer')
  if (layers > 0)
    findings.push({
      subject,
      verdict: 'slow',
      message: `${layers} ${layers === 1 ? 'layer differs' : 'layers differ'} from the blobs, and ${layers === 1 ? 'is' : 'are'} made again: look at the disk of the state directory`,
    })
  if (findings.length === 0 && verifier.periodMs > 0)
    findings.push({ subject, verdict: 'good', message: 'no damage is known' })
  return findings
}
