import { Type, type Static } from 'typebox'

/**
 * The documents of the control API: one schema each, from which validation, OpenAPI and the client's types come.
 * Fields are in snake case, as in the seeds. A `ref` in a path or a document is a UUID or a full name.
 */

const closed = { additionalProperties: false } as const
const environment = (description: string) => Type.Record(Type.String(), Type.String(), { description })

export const CapabilityType = Type.Union([
  Type.Literal('os'),
  Type.Literal('runtime'),
  Type.Literal('file'),
  Type.Literal('package'),
])

export const Capability = Type.Object(
  {
    type: CapabilityType,
    name: Type.String({ minLength: 1, maxLength: 255 }),
  },
  { ...closed, title: 'Capability', description: 'What one package provides and another depends on.' },
)
export type Capability = Static<typeof Capability>

export const Template = Type.Object(
  { path: Type.String(), left_delimiter: Type.String(), right_delimiter: Type.String() },
  { ...closed, title: 'Template' },
)

export const Resource = Type.Object(
  {
    uuid: Type.String(),
    digest: Type.String({ description: 'sha256:HEX' }),
    sha1: Type.Optional(Type.String({ description: 'sha1:HEX, where known' })),
    length: Type.Integer({ description: 'bytes' }),
    compression: Type.String(),
    removals: Type.Integer({ description: 'how many paths of lower layers it takes away' }),
  },
  { ...closed, title: 'Resource' },
)
export type Resource = Static<typeof Resource>

export const Package = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    state: Type.Union([
      Type.Literal('created'),
      Type.Literal('uploaded'),
      Type.Literal('staging'),
      Type.Literal('ready'),
      Type.Literal('failed'),
    ]),
    resource: Type.Optional(Resource),
    dependencies: Type.Array(Capability),
    provides: Type.Array(Capability),
    environment: environment('applied when the package runs'),
    templates: Type.Array(Template),
    version: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Package' },
)
export type Package = Static<typeof Package>

/** POST /v1/packages */
export const PackageDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    dependencies: Type.Optional(Type.Array(Capability)),
    provides: Type.Optional(Type.Array(Capability)),
    environment: Type.Optional(environment('applied when the package runs')),
    templates: Type.Optional(Type.Array(Template)),
    resource: Type.Optional(Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' })),
    state: Type.Optional(
      Type.Union([Type.Literal('uploaded'), Type.Literal('ready')], {
        description: 'with a resource; uploaded when left out',
      }),
    ),
    version: Type.Optional(Type.String({ maxLength: 255 })),
    description: Type.Optional(Type.String({ maxLength: 4096 })),
  },
  { ...closed, title: 'PackageDraft' },
)
export type PackageDraft = Static<typeof PackageDraft>

/** POST /v1/images/packages: a ready package of what is in a Docker image. */
export const ImagePackageDraft = Type.Object(
  {
    image: Type.String({ description: 'as Docker names it, such as debian:12; pulled if it is not there' }),
    leave_out: Type.Optional(Type.Array(Type.String(), { description: 'absolute paths that are not to be in it' })),
    ...Type.Omit(PackageDraft, ['templates', 'resource', 'state']).properties,
  },
  { ...closed, title: 'ImagePackageDraft' },
)
export type ImagePackageDraft = Static<typeof ImagePackageDraft>

/** PATCH /v1/packages/{ref} */
export const PackageChange = Type.Object(
  {
    name: Type.Optional(Type.String()),
    provides_add: Type.Optional(Type.Array(Capability)),
    provides_remove: Type.Optional(Type.Array(Capability)),
    dependencies_add: Type.Optional(Type.Array(Capability)),
    dependencies_remove: Type.Optional(Type.Array(Capability)),
    environment_set: Type.Optional(environment('added or replaced')),
    environment_unset: Type.Optional(Type.Array(Type.String())),
  },
  { ...closed, title: 'PackageChange' },
)
export type PackageChange = Static<typeof PackageChange>

/** PUT /v1/packages/{ref}/resource */
export const PackageResourceChange = Type.Object(
  {
    resource: Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' }),
    state: Type.Optional(Type.Union([Type.Literal('uploaded'), Type.Literal('ready')])),
  },
  { ...closed, title: 'PackageResourceChange' },
)

/** PUT /v1/packages/{ref}/content: all of another package but its name, which is gone then. */
export const PackageReplacement = Type.Object(
  { from: Type.String({ description: 'ref of the package whose content this is to be' }) },
  { ...closed, title: 'PackageReplacement' },
)
export type PackageReplacement = Static<typeof PackageReplacement>

/** POST /v1/build-scripts */
export const BuildScriptText = Type.Object({ script: Type.String() }, { ...closed, title: 'BuildScriptText' })
export type BuildScriptText = Static<typeof BuildScriptText>

/** What a build script says; the language is in docs/build-scripts.md. */
export const BuildScript = Type.Object(
  {
    name: Type.String(),
    namespace: Type.Optional(Type.String()),
    version: Type.Optional(Type.String()),
    description: Type.Optional(Type.String()),
    provides: Type.Array(Capability),
    depends: Type.Array(Capability),
    build_depends: Type.Array(Capability),
    environment: environment('of the package'),
    sources: Type.Array(
      Type.Object(
        {
          url: Type.String(),
          file: Type.String({ description: 'its name in the working directory' }),
          sha256: Type.Optional(Type.String()),
          sha1: Type.Optional(Type.String()),
        },
        closed,
      ),
    ),
    include_files: Type.Array(Type.String(), { description: 'beside the script' }),
    cleanup: Type.Array(Type.String()),
    snapshot_path: Type.Optional(Type.String()),
    image: Type.Optional(Type.String({ description: 'a Docker image that is the package: nothing is built then' })),
    build: Type.String({ description: 'shell; empty with an image' }),
  },
  { ...closed, title: 'BuildScript' },
)
export type BuildScript = Static<typeof BuildScript>

/** POST /v1/resources?sha256=HEX: a raw tarball; the answer once it is durable. */
export const UploadedResource = Type.Object(
  { sha256: Type.String(), length: Type.Integer(), compression: Type.String(), entries: Type.Integer() },
  { ...closed, title: 'UploadedResource' },
)
export type UploadedResource = Static<typeof UploadedResource>

export const Limits = Type.Object(
  {
    memory_bytes: Type.Integer({ minimum: 6 * 1024 * 1024 }),
    cpus: Type.Number({ exclusiveMinimum: 0 }),
    pids: Type.Integer({ minimum: 2 }),
    disk_bytes: Type.Integer({ minimum: 1024 * 1024 }),
    timeout_ms: Type.Integer({ minimum: 1000 }),
  },
  { ...closed, title: 'Limits' },
)
export type Limits = Static<typeof Limits>

/** The others are as they were, or as is usual. */
export const SomeLimits = Type.Partial(Limits, { ...closed, title: 'SomeLimits' })

export const Stager = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    package: Type.String({ description: 'FQN of the package that holds its program' }),
    start_command: Type.String(),
    additive: Type.Boolean(),
    allow_egress: Type.Boolean(),
    user: Type.String(),
    limits: Limits,
    dependencies: Type.Array(Capability),
    environment: environment('given to the stager'),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Stager' },
)
export type Stager = Static<typeof Stager>

/** POST /v1/stagers */
export const StagerDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    package: Type.String({ description: 'ref of the package that holds its program' }),
    start_command: Type.String({ minLength: 1 }),
    additive: Type.Optional(Type.Boolean()),
    allow_egress: Type.Optional(Type.Boolean()),
    user: Type.Optional(Type.String()),
    limits: Type.Optional(SomeLimits),
    dependencies: Type.Optional(Type.Array(Capability)),
    environment: Type.Optional(environment('given to the stager')),
  },
  { ...closed, title: 'StagerDraft' },
)
export type StagerDraft = Static<typeof StagerDraft>

/** PATCH /v1/stagers/{ref} */
export const StagerChange = Type.Object(
  {
    name: Type.Optional(Type.String()),
    package: Type.Optional(Type.String()),
    start_command: Type.Optional(Type.String({ minLength: 1 })),
    additive: Type.Optional(Type.Boolean()),
    allow_egress: Type.Optional(Type.Boolean()),
    user: Type.Optional(Type.String()),
    limits: Type.Optional(SomeLimits),
    dependencies_add: Type.Optional(Type.Array(Capability)),
    dependencies_remove: Type.Optional(Type.Array(Capability)),
    environment_set: Type.Optional(environment('added or replaced')),
    environment_unset: Type.Optional(Type.Array(Type.String())),
  },
  { ...closed, title: 'StagerChange' },
)
export type StagerChange = Static<typeof StagerChange>

export const Pipeline = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    stagers: Type.Array(Type.String(), { description: 'FQNs, in the order in which they work' }),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Pipeline' },
)
export type Pipeline = Static<typeof Pipeline>

/** POST /v1/stagingpipelines: give `stagers`, or the pipeline to `clone`. */
export const PipelineDraft = Type.Object(
  {
    namespace: Type.String(),
    name: Type.String(),
    stagers: Type.Optional(Type.Array(Type.String(), { minItems: 1, description: 'refs of stagers' })),
    clone: Type.Optional(Type.String({ description: 'ref of a pipeline' })),
  },
  { ...closed, title: 'PipelineDraft' },
)
export type PipelineDraft = Static<typeof PipelineDraft>

/** PATCH /v1/stagingpipelines/{ref} */
export const PipelineChange = Type.Object(
  { append: Type.Optional(Type.Array(Type.String())), prepend: Type.Optional(Type.Array(Type.String())) },
  { ...closed, title: 'PipelineChange' },
)
export type PipelineChange = Static<typeof PipelineChange>

export const Policy = Type.Object(
  {
    uuid: Type.String(),
    fqn: Type.String(),
    namespace: Type.String(),
    name: Type.String(),
    version: Type.Integer({ minimum: 1 }),
    text: Type.String({ description: 'of the newest version' }),
    created_at: Type.String(),
    updated_at: Type.String(),
  },
  { ...closed, title: 'Policy' },
)
export type Policy = Static<typeof Policy>

const PolicySource = Type.String({ maxLength: 1_048_576, description: 'see docs/policy.md for its language' })

/** POST /v1/policies */
export const PolicyDraft = Type.Object(
  { namespace: Type.String(), name: Type.String(), text: PolicySource },
  { ...closed, title: 'PolicyDraft' },
)
export type PolicyDraft = Static<typeof PolicyDraft>

/** PUT /v1/policies/{ref}: makes the document, or its next version. */
export const PolicyText = Type.Object({ text: PolicySource }, { ...closed, title: 'PolicyText' })
export type PolicyText = Static<typeof PolicyText>

/** GET /v1/policies/{ref}/versions, the oldest first */
export const PolicyVersion = Type.Object(
  { version: Type.Integer({ minimum: 1 }), text: Type.String(), created_at: Type.String() },
  { ...closed, title: 'PolicyVersion' },
)
export type PolicyVersion = Static<typeof PolicyVersion>

/** POST /v1/packages/resolution: the dependencies of a package, others, or both. */
export const ResolutionQuestion = Type.Object(
  {
    package: Type.Optional(Type.String({ description: 'ref; its dependencies come first' })),
    dependencies: Type.Optional(Type.Array(Capability)),
    namespace: Type.Optional(
      Type.String({ description: 'of the job whose rules hold; that of the package, or /, when left out' }),
    ),
  },
  { ...closed, title: 'ResolutionQuestion' },
)
export type ResolutionQuestion = Static<typeof ResolutionQuestion>

export const Resolution = Type.Object(
  {
    subject: Type.String({ description: 'whose dependencies these are' }),
    namespace: Type.String({ description: 'of the job whose rules held' }),
    packages: Type.Array(Type.Object({ uuid: Type.String(), fqn: Type.String() }, closed), {
      description: 'the operating system first, each after what it depends on',
    }),
    decisions: Type.Array(
      Type.Object(
        {
          dependency: Capability,
          needed_by: Type.String({ description: 'FQN of a package, or the subject' }),
          candidates: Type.Array(
            Type.Object(
              {
                package: Type.String({ description: 'FQN' }),
                verdict: Type.Union([Type.Literal('taken'), Type.Literal('refused'), Type.Literal('passed over')]),
                reason: Type.String({ description: 'follows "because"' }),
              },
              closed,
            ),
          ),
        },
        closed,
      ),
    ),
    explanation: Type.Array(Type.String(), { description: 'the decisions as lines for people' }),
  },
  { ...closed, title: 'Resolution' },
)
export type Resolution = Static<typeof Resolution>

export const Failure = Type.Object(
  {
    cause: Type.String({
      description:
        'stager-failed, no-verdict, timeout, out-of-memory, disk-full, pids-limit, relaunch-limit, unresolved, policy or infrastructure',
    }),
    stager: Type.Optional(Type.String()),
    message: Type.String(),
    hint: Type.String(),
  },
  { ...closed, title: 'Failure' },
)

export const Launch = Type.Object(
  {
    uuid: Type.String(),
    stager: Type.String(),
    state: Type.String({ description: 'starting, running, done, failed, relaunched or aborted' }),
    exit_code: Type.Optional(Type.Integer()),
    started_at: Type.String(),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Launch' },
)

export const StagingState = Type.Union([
  Type.Literal('queued'),
  Type.Literal('running'),
  Type.Literal('succeeded'),
  Type.Literal('failed'),
  Type.Literal('cancelled'),
])

export const Staging = Type.Object(
  {
    uuid: Type.String(),
    state: StagingState,
    package: Type.String(),
    package_uuid: Type.String(),
    pipeline: Type.String(),
    stagers: Type.Array(Type.String()),
    launches: Type.Array(Launch),
    failure: Type.Optional(Failure),
    submitted_at: Type.String(),
    started_at: Type.Optional(Type.String()),
    ended_at: Type.Optional(Type.String()),
  },
  { ...closed, title: 'Staging' },
)
export type Staging = Static<typeof Staging>

/** POST /v1/stagings */
export const StagingDraft = Type.Object(
  {
    package: Type.String({ description: 'ref' }),
    pipeline: Type.String({ description: 'ref' }),
    source: Type.Optional(
      Type.Object(
        {
          resource: Type.String({ description: 'SHA-256 of an uploaded resource, in hexadecimal' }),
          dependencies: Type.Optional(Type.Array(Capability)),
          environment: Type.Optional(environment('over that of the package')),
        },
        {
          ...closed,
          description: "staged instead of the package's own data, which the package keeps until that has succeeded",
        },
      ),
    ),
  },
  { ...closed, title: 'StagingDraft' },
)
export type StagingDraft = Static<typeof StagingDraft>

/** Data of a server-sent event `line` of GET /v1/stagings/{uuid}/log; the event's id is `seq`. */
export const LogLine = Type.Object(
  {
    seq: Type.Integer({ minimum: 1 }),
    time: Type.String(),
    stream: Type.Union([Type.Literal('staging'), Type.Literal('stdout'), Type.Literal('stderr')]),
    text: Type.String(),
  },
  { ...closed, title: 'LogLine' },
)
export type LogLine = Static<typeof LogLine>

/** POST /v1/runs: the answer is newline-delimited `RunEvent`s; the container ends when the client goes. */
export const RunDraft = Type.Object(
  {
    package: Type.String({ description: 'ref of a ready package' }),
    command: Type.Optional(Type.String({ description: 'instead of START_COMMAND' })),
    environment: Type.Optional(environment('over that of the package')),
    publish: Type.Optional(
      Type.Array(
        Type.Object(
          {
            container_port: Type.Integer({ minimum: 1, maximum: 65535 }),
            host_port: Type.Integer({ minimum: 0, maximum: 65535, description: '0: any free one' }),
          },
          closed,
        ),
      ),
    ),
    allow_egress: Type.Optional(Type.Boolean()),
    limits: Type.Optional(SomeLimits),
  },
  { ...closed, title: 'RunDraft' },
)
export type RunDraft = Static<typeof RunDraft>

export const RunEvent = Type.Union(
  [
    Type.Object(
      {
        event: Type.Literal('started'),
        ports: Type.Array(Type.Integer(), { description: 'host ports, in the order asked for' }),
      },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('output'),
        stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
        data: Type.String({ description: 'base64' }),
      },
      closed,
    ),
    Type.Object(
      { event: Type.Literal('ended'), exit_code: Type.Optional(Type.Integer()), reason: Type.String() },
      closed,
    ),
  ],
  { title: 'RunEvent' },
)
export type RunEvent = Static<typeof RunEvent>

export const NodeStatus = Type.Object(
  {
    version: Type.String(),
    node: Type.String({ description: 'UUID of this staging node' }),
    state_dir: Type.String(),
    engine: Type.Object({ answers: Type.Boolean(), message: Type.String() }, closed),
    packages: Type.Integer({ description: 'that are ready' }),
    stagings: Type.Object({ queued: Type.Integer(), running: Type.Integer(), limit: Type.Integer() }, closed),
    uptime_seconds: Type.Number(),
  },
  { ...closed, title: 'NodeStatus' },
)
export type NodeStatus = Static<typeof NodeStatus>

export const DoctorReport = Type.Object(
  {
    findings: Type.Array(
      Type.Object(
        {
          subject: Type.String(),
          verdict: Type.Union([Type.Literal('good'), Type.Literal('slow'), Type.Literal('bad')]),
          message: Type.String(),
        },
        closed,
      ),
    ),
  },
  { ...closed, title: 'DoctorReport' },
)
export type DoctorReport = Static<typeof DoctorReport>

/** RFC 9457; `code` is stable. */
export const Problem = Type.Object(
  { type: Type.String(), title: Type.String(), status: Type.Integer(), detail: Type.String(), code: Type.String() },
  { title: 'Problem' },
)
export type Problem = Static<typeof Problem>
