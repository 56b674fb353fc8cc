import { BadInput } from '../../../base/errors.js'
import { assertNamespace } from '../../../base/fqn.js'
import type { Capability } from '../../packages/metadata.js'
import type { PolicySubject } from '../../packages/policy/subject-rules.js'
import { describeDecisions } from '../../packages/resolution/decision.js'
import { resolve } from '../../packages/resolve.js'
import { assertCapability } from '../../packages/validate.js'
import type { Resolver } from '../../resolver/resolver.js'
import type { PackageRepository } from '../../store/repositories.js'
import { Resolution, ResolutionQuestion } from '../../documents/resolution.js'
import { lookingInto, readingAll, reads } from '../access.js'
import type { Api } from '../fastify.js'
import { parseRef } from '../parse-ref.js'
import { packageFqn } from '../render-package.js'
import { NoQuery, REFUSALS } from './schemas.js'

export interface ResolutionRoutesParts {
  readonly packages: Pick<PackageRepository, 'get'>
  readonly resolver: Pick<Resolver, 'with'>
}

export function resolutionRoutes(api: Api, { packages, resolver }: ResolutionRoutesParts): void {
  api.post(
    '/v1/packages/resolution',
    {
      access: reads(({ body }: { body: ResolutionQuestion }) => [
        ...readingAll('package', [body.package]),
        ...(body.package === undefined || body.namespace !== undefined ? [lookingInto(body.namespace ?? '/')] : []),
      ]),
      schema: {
        operationId: 'resolvePackages',
        tags: ['packages'],
        description: 'Which packages a staging would get now, and why. Nothing is changed.',
        querystring: NoQuery,
        body: ResolutionQuestion,
        response: { 200: Resolution, ...REFUSALS },
      },
    },
    async ({ body }) => {
      const { job, ...question } = await asked(packages, body)
      return await resolver.with(({ index, rulesOf }): Resolution => {
        const { packages: closure, explain } = resolve({ ...question, index, rules: rulesOf(job, 'staging') })
        const decisions = explain()
        return {
          subject: question.subject,
          namespace: job.namespace,
          packages: closure.map((part) => ({ uuid: part.uuid, fqn: packageFqn(part) })),
          decisions: decisions.map(({ dependency, neededBy, candidates }) => ({
            dependency,
            needed_by: neededBy,
            candidates: candidates.map(({ name, verdict, reason }) => ({ package: name, verdict, reason })),
          })),
          explanation: describeDecisions(decisions),
        }
      })
    },
  )
}

interface Asked {
  readonly subject: string
  readonly dependencies: readonly Capability[]
  readonly job: PolicySubject
  readonly exclude?: string
}

async function asked(packages: ResolutionRoutesParts['packages'], body: ResolutionQuestion): Promise<Asked> {
  const { namespace, dependencies = [] } = body
  if (namespace !== undefined) assertNamespace(namespace)
  dependencies.forEach(assertCapability)
  if (body.package === undefined) {
    if (dependencies.length === 0)
      throw new BadInput('bad-document', 'There is nothing to resolve: give a "package", "dependencies", or both.')
    const job = { namespace: namespace ?? '/', name: '' }
    return { subject: `a job in ${job.namespace}`, dependencies, job }
  }
  const found = await packages.get(parseRef(body.package, 'package'))
  return {
    subject: packageFqn(found),
    dependencies: [...found.dependencies, ...dependencies],
    job: { namespace: namespace ?? found.namespace, name: found.name },
    exclude: found.uuid,
  }
}
