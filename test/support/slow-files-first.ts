import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** The files that take longest, longest first. One that began last would run alone, beside idle processors. */
const SLOW = [
  'test/engine/system/package-build.test.ts',
  'test/engine/system/bootstrap.test.ts',
  'test/engine/system/crash.test.ts',
  'test/stagers/library-verdicts.test.ts',
  'test/cli/process.test.ts',
  'test/stagers/library-operations.test.ts',
  'test/stagers/library-retries.test.ts',
  'test/daemon/store/sqlite-durability.test.ts',
]

export class SlowFilesFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const index = SLOW.findIndex((file) => moduleId.endsWith(`/${file}`))
      return index === -1 ? SLOW.length : index
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
