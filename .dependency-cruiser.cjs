/**
 * The one-way calls of docs/architecture.md, as errors.
 *
 *   cli -> (HTTP) -> daemon -> isolation
 *     \________________|__________/
 *                     base
 */
module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'no-cycles-between-folders',
      comment: 'Sibling folders at any depth. Imports of types count.',
      severity: 'error',
      scope: 'folder',
      from: {},
      to: { circular: true },
    },
    {
      name: 'folders-never-import-what-composes-them',
      comment: 'The files directly in cli/ and daemon/ put the folders together.',
      severity: 'error',
      from: { path: '^(cli|daemon)/[^/]+/' },
      to: { path: '^(cli|daemon)/[^/]+\\.ts$' },
    },
    { name: 'base-is-a-leaf', severity: 'error', from: { path: '^base/' }, to: { path: '^(cli|daemon|isolation)/' } },
    {
      name: 'isolation-never-imports-daemon',
      severity: 'error',
      from: { path: '^isolation/' },
      to: { path: '^(cli|daemon)/' },
    },
    {
      name: 'daemon-imports-the-port-of-isolation',
      comment: 'The files directly in isolation/ are the port. Only these two choose what implements it.',
      severity: 'error',
      from: { path: '^daemon/', pathNot: '^daemon/(app|build-isolation)\\.ts$' },
      to: { path: '^isolation/[^/]+/' },
    },
    {
      name: 'the-port-of-isolation-imports-no-implementation',
      severity: 'error',
      from: { path: '^isolation/[^/]+\\.ts$' },
      to: { path: '^isolation/[^/]+/' },
    },
    { name: 'daemon-never-imports-cli', severity: 'error', from: { path: '^daemon/' }, to: { path: '^cli/' } },
    {
      name: 'cli-speaks-http-alone',
      comment: 'The client may use the types of the API documents, and nothing else of the daemon.',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^(daemon|isolation)/', pathNot: '^daemon/documents/[a-z-]+\\.ts$' },
    },
    {
      name: 'cli-takes-only-types-of-the-api',
      severity: 'error',
      from: { path: '^cli/' },
      to: { path: '^daemon/documents/[a-z-]+\\.ts$', dependencyTypesNot: ['type-only'] },
    },
    {
      name: 'packages-and-planning-are-pure',
      comment: 'What a package is, and what happens next, is decided without I/O.',
      severity: 'error',
      from: { path: '^daemon/(packages/|model/|staging/plan\\.ts)' },
      to: {
        path: '^(isolation/(?!(launch-plan|path-rules|compression)\\.ts)|daemon/(store|api|coordinator)/|node:(fs|net|http|child_process)|fs|net|http|child_process|dockerode|execa|better-sqlite3|fastify)',
      },
    },
    {
      name: 'only-isolation-touches-docker',
      severity: 'error',
      from: { path: '^(cli|daemon|base)/' },
      to: { path: 'node_modules/(dockerode|docker-modem)/' },
    },
    {
      name: 'only-the-store-touches-sqlite',
      severity: 'error',
      from: { path: '^(cli|isolation|base|daemon/(?!store/))' },
      to: { path: 'node_modules/better-sqlite3/' },
    },
    {
      name: 'only-the-store-touches-postgresql',
      severity: 'error',
      from: { path: '^(cli|isolation|base|daemon)/', pathNot: '^daemon/store/postgres/' },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'coordinator-and-api-do-not-meet',
      severity: 'error',
      from: { path: '^daemon/coordinator/' },
      to: { path: '^daemon/(api|store)/' },
    },
    {
      name: 'staging-decides-alone',
      severity: 'error',
      from: { path: '^daemon/staging/' },
      to: { path: '^daemon/api/' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['import', 'node', 'default'] },
  },
}
