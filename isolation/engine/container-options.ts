import type Docker from 'dockerode'
import type { PreparePlan, StartPlan } from '../launch-plan.js'
import { launchLabels, launchName, type Owner } from '../host/ownership.js'
import { initCommand } from './container-init.js'
import { limitOptions } from './limits.js'

/** A plan in both its parts, once its image, its network and its /stagerfs are there. */
export interface ContainerRequest extends PreparePlan, Omit<StartPlan, 'stagerfs'> {
  readonly image: string
  readonly network: string
  /** Host directory to be bound to /stagerfs. */
  readonly stagerfs: string | undefined
}

/** Docker's default capabilities, seccomp profile and masks stand: nothing here adds to them. */
export function containerOptions(owner: Owner, request: ContainerRequest): Docker.ContainerCreateOptions {
  const { id, egress, publish, stagerfs } = request
  const [entrypoint = '', ...args] = initCommand(request.command)
  return {
    name: launchName(id),
    Image: request.image,
    Hostname: 'stager',
    User: request.user,
    WorkingDir: request.workingDirectory,
    Env: Object.entries(request.environment).map(([name, value]) => `${name}=${value}`),
    Entrypoint: [entrypoint],
    Cmd: args,
    Labels: launchLabels(owner, id),
    Tty: false,
    OpenStdin: true,
    // Closed when the daemon goes, so that nothing waits for it for the start signal for ever.
    StdinOnce: true,
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    ExposedPorts: Object.fromEntries(publish.map(({ containerPort }) => [`${containerPort}/tcp`, {}])),
    HostConfig: {
      ...limitOptions(request.limits),
      NetworkMode: request.network,
      // Docker's resolver asks a nameserver on the host's loopback from the host's side: a way out of an `internal`
      // network. The container's own loopback, where nobody answers, closes it; the resolver hands on no refusal, so
      // programs are told not to wait for one.
      ...(egress ? {} : { Dns: ['127.0.0.1'], DnsOptions: ['timeout:1', 'attempts:1'] }),
      // The output is kept by whoever reads the attached stream; the Engine's copy would grow without a limit.
      LogConfig: { Type: 'none', Config: {} },
      PortBindings: Object.fromEntries(
        publish.map(({ containerPort, hostPort }) => [
          `${containerPort}/tcp`,
          [{ HostIp: '127.0.0.1', HostPort: hostPort === 0 ? '' : String(hostPort) }],
        ]),
      ),
      Mounts:
        stagerfs === undefined
          ? []
          : [
              {
                Type: 'bind',
                Source: stagerfs,
                Target: '/stagerfs',
                // What the host unmounts goes from the container too; what the container mounted would not come back.
                BindOptions: { Propagation: 'rslave' },
              },
            ],
    },
  }
}
