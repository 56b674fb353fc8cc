import type Docker from 'dockerode'
import { STAGER_CACHE, type PreparePlan, type StartPlan } from '../launch-plan.js'
import { launchLabels, launchName, networkLabels, networkName, type Owner } from '../host/ownership.js'
import { initCommand } from './container-init.js'
import { limitOptions } from './limits.js'
import { programVector } from './program-vector.js'

/** Both parts of a plan, with the image, the network and /stagerfs that were created for it. */
export interface ContainerRequest extends PreparePlan, Omit<StartPlan, 'stagerfs' | 'cache' | 'secrets'> {
  readonly image: string
  /** UUID. */
  readonly network: string
  /** Host directory that is bound to /stagerfs. */
  readonly stagerfs: string | undefined
  /** Host directory that is bound to STAGER_CACHE. */
  readonly cache: string | undefined
  readonly files: readonly BoundFile[]
  /** A seccomp profile as JSON. */
  readonly seccomp: string
}

/** A file that takes the place of one of the image. */
export interface BoundFile {
  /** On the host. */
  readonly source: string
  /** In the container: absolute, without links. */
  readonly target: string
}

/** The default capabilities, AppArmor profile and masked paths of Docker stay in force. */
export function containerOptions(owner: Owner, request: ContainerRequest): Docker.ContainerCreateOptions {
  const { id, egress, publish, stagerfs, cache, files } = request
  const [entrypoint = '', ...args] = initCommand(programVector(request.command, request.environment))
  return {
    name: launchName(id),
    Image: request.image,
    Hostname: request.shims ? 'stager' : 'app',
    User: request.user,
    WorkingDir: request.workingDirectory,
    Env: Object.entries(request.environment).map(([name, value]) => `${name}=${value}`),
    Entrypoint: [entrypoint],
    Cmd: args,
    Labels: { ...launchLabels(owner, id), ...networkLabels(owner, request.network) },
    Tty: false,
    OpenStdin: true,
    // Standard input is closed when the daemon dies, so that init does not wait for the start signal forever.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: Object.fromEntries(publish.map(({ containerPort }) => [`${containerPort}/tcp`, {}])),
    HostConfig: {
      ...limitOptions(request.limits),
      SecurityOpt: [`seccomp=${request.seccomp}`],
      NetworkMode: networkName(request.network),
      // The resolver of Docker queries a nameserver on the loopback of the host from the namespace of the host, which
      // bypasses an `internal` network. So the nameserver is the loopback of the container, where none listens. The
      // resolver does not report that, so the options keep programs from waiting for an answer.
      ...(egress ? {} : { Dns: ['127.0.0.1'], DnsOptions: ['timeout:1', 'attempts:1'] }),
      // The reader of the attached stream stores the output; a copy in the Engine would grow without a limit.
      LogConfig: { Type: 'none', Config: {} },
      PortBindings: Object.fromEntries(
        publish.map(({ containerPort, hostPort }) => [
          `${containerPort}/tcp`,
          [{ HostIp: '127.0.0.1', HostPort: hostPort === 0 ? '' : String(hostPort) }],
        ]),
      ),
      Mounts: [
        ...files.map(({ source, target }) => ({ Type: 'bind' as const, Source: source, Target: target })),
        ...boundMount(stagerfs, '/stagerfs'),
        ...boundMount(cache, STAGER_CACHE),
      ],
    },
  }
}

function boundMount(source: string | undefined, target: string): Docker.MountSettings[] {
  if (source === undefined) return []
  // An unmount on the host propagates to the container; a mount in the container does not propagate back.
  return [{ Type: 'bind', Source: source, Target: target, BindOptions: { Propagation: 'rslave' } }]
}
