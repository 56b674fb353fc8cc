/**
 * What a stager tries as root in its container, without egress. Many share one launch, because none of them disturbs the
 * others: each is a program of its own, and prints one line.
 */
export interface Attempt {
  readonly name: string
  /** Perl, with test/hostile/engine/programs/Hostile.pm. What the last expression says is printed. */
  readonly perl: string
  /** The line that it must print. */
  readonly must: RegExp
}

/** ENOSYS: what the seccomp profile hides (docs/security.md). */
const DENIED = /^(EPERM|EACCES|ENOSYS)$/
const READ_ONLY = /^(EROFS|EACCES|EPERM|ENOENT)$/
const CLOSED = /^(shut ?)+$/

const denied = (name: string, perl: string): Attempt => ({ name, perl, must: DENIED })
const readOnly = (path: string): Attempt => ({
  name: `writes to ${path}`,
  perl: `opened('${path}', O_WRONLY)`,
  must: READ_ONLY,
})
const device = (name: string, kind: 'b' | 'c', major: number, minor: number): Attempt => ({
  name: `makes and opens the device ${name}`,
  perl: `my $path = '/tmp/device-${name}';
    sys('mknodat', -100, $path, ${kind === 'b' ? 0o60600 : 0o20600}, ${(major << 8) | minor}) == -1
      ? error_name() : opened($path, O_RDWR)`,
  must: DENIED,
})
const unsupported = (name: string, family: number): Attempt => ({
  name,
  perl: `tried('socket', ${family}, 3, 0)`,
  must: /^(EAFNOSUPPORT|EPROTONOSUPPORT|EPERM|ESOCKTNOSUPPORT)$/,
})
const masked = (path: string): Attempt => ({
  name: `reads ${path}`,
  perl: `my $text = ''; if (sysopen(my $file, '${path}', O_RDONLY)) { sysread $file, $text, 64 } length $text`,
  must: /^0$/,
})

/** HOST_* are set by the test: what a stager must not reach. */
export const ATTEMPTS: readonly Attempt[] = [
  // Namespaces and mounts.
  denied('mounts a tmpfs', `tried('mount', 'none', '/tmp', 'tmpfs', 0, 0)`),
  denied('mounts the cgroups, for a release agent', `tried('mount', 'none', '/mnt', 'cgroup', 0, 'memory')`),
  denied('mounts /proc again, without masks', `mkdir '/tmp/p'; tried('mount', 'proc', '/tmp/p', 'proc', 0, 0)`),
  denied('makes its read-only mounts writable', `tried('mount', 'none', '/proc/sys', 0, 32 | 4096, 0)`),
  denied('unmounts /stagerfs', `tried('umount2', '/stagerfs', 2)`),
  denied('exchanges its root', `tried('pivot_root', '/tmp', '/tmp')`),
  denied('makes a user namespace', `tried('unshare', 0x10000000)`),
  denied('makes a mount namespace', `tried('unshare', 0x20000)`),
  denied('makes a network namespace', `tried('unshare', 0x40000000)`),
  denied('joins a namespace', `open my $ns, '<', '/proc/1/ns/mnt'; tried('setns', fileno $ns, 0)`),
  { name: 'opens a filesystem by the newer interface', perl: `tried('fsopen', 'tmpfs', 0)`, must: /^(EPERM|ENOSYS)$/ },
  {
    name: 'clones a tree of mounts by the newer interface',
    perl: `tried('open_tree', -100, '/', 1)`,
    must: /^(EPERM|ENOSYS)$/,
  },
  {
    name: 'makes a user namespace by clone3',
    perl: `tried('clone3', pack('Q11', 0x10000000, (0) x 10), 88)`,
    must: /^(EPERM|ENOSYS)$/,
  },

  // Sockets that no firewall sees, and system calls past the filter.
  unsupported('opens a socket to the hypervisor', 40),
  unsupported('opens a socket of the cryptography of the kernel', 38),
  unsupported('opens a socket for packets', 17),
  denied('sets up io_uring', `tried('io_uring_setup', 8, "\\0" x 120)`),

  // Kernel and hardware.
  device('sda', 'b', 8, 0),
  device('loop', 'b', 7, 0),
  device('mem', 'c', 1, 1),
  device('kmsg', 'c', 1, 11),
  device('fuse', 'c', 10, 229),
  {
    // The Engine lets it be opened; without a capability, it makes nothing.
    name: 'makes an interface by the device tun',
    perl: `sys('mknodat', -100, '/tmp/tun', 020600, ${(10 << 8) | 200}); my $is_open = sysopen(my $tun, '/tmp/tun', O_RDWR);
      $is_open ? tried('ioctl', fileno $tun, 0x400454ca, pack('a16 S x22', 'evil0', 2)) : error_name()`,
    must: DENIED,
  },
  readOnly('/proc/sys/kernel/core_pattern'),
  readOnly('/proc/sys/kernel/modprobe'),
  readOnly('/proc/sys/vm/panic_on_oom'),
  readOnly('/proc/sys/net/ipv4/ip_forward'),
  readOnly('/proc/sysrq-trigger'),
  readOnly('/proc/irq/default_smp_affinity'),
  readOnly('/sys/kernel/uevent_helper'),
  readOnly('/sys/kernel/mm/transparent_hugepage/enabled'),
  readOnly('/sys/fs/cgroup/memory/memory.limit_in_bytes'),
  readOnly('/sys/fs/cgroup/memory.max'),
  readOnly('/sys/fs/cgroup/pids/pids.max'),
  readOnly('/sys/fs/cgroup/cgroup.procs'),
  masked('/proc/kcore'),
  masked('/proc/keys'),
  masked('/proc/timer_list'),
  denied('reads the log of the kernel', `tried('syslog', 3, ' ' x 64, 64)`),
  denied('loads a module', `tried('init_module', 'x', 1, '')`),
  denied('loads another kernel', `tried('kexec_load', 0, 0, 0, 0)`),
  denied('loads a program of bpf', `tried('bpf', 0, pack('L16', 0), 64)`),
  denied('counts events of the processor', `tried('perf_event_open', pack('L32', 0), 0, -1, -1, 0)`),
  denied('stops the host', `tried('reboot', 0xfee1dead, 672274793, 0x1234567, 0)`),
  denied('sets the clock', `tried('settimeofday', pack('q2', 1, 0), 0)`),
  denied('swaps to a file', `tried('swapon', '/tmp/swap', 0)`),
  denied('accounts processes to a file', `tried('acct', '/tmp/acct')`),
  denied('opens a file of the host by its handle', `tried('open_by_handle_at', 0, pack('L2 q', 8, 1, 2), 0)`),
  denied('adds a key', `tried('add_key', 'user', 'k', 'v', 1, -3)`),
  denied('reads a keyring', `tried('keyctl', 0, -3, 1)`),
  denied('names the host', `tried('sethostname', 'evil', 4)`),

  // Its own limits.
  denied('raises its limit of open files', `tried('prlimit64', 0, 7, pack('Q2', 1 << 20, 1 << 20), 0)`),
  denied('gets a priority of real time', `tried('sched_setscheduler', 0, 1, pack('l', 99))`),
  {
    name: 'is killed last when memory runs out',
    perl: `my $file; open($file, '>', '/proc/self/oom_score_adj') && defined syswrite($file, '-1000') ? 'done' : error_name()`,
    must: DENIED,
  },
  {
    name: 'opens files until it has no descriptor',
    perl: `my @all; while (sysopen my $file, '/dev/null', O_RDONLY) { push @all, $file }
      scalar(@all) <= 4096 ? error_name() : 'too many: ' . @all`,
    must: /^EMFILE$/,
  },

  // Processes.
  {
    name: 'looks for processes of the host',
    perl: `my @all = map { m{(\\d+)/} ? content_of("/proc/$1/cmdline") : () } glob '/proc/[0-9]*/stat';
      (grep { /dockerd|containerd|bin\\/stagerd/ } @all) ? 'found' : 'none'`,
    must: /^none$/,
  },
  {
    name: 'kills a process of the host',
    perl: `kill(0, $ENV{HOST_PID}) ? content_of("/proc/$ENV{HOST_PID}/cmdline") =~ /HOST_CANARY/ ? 'found' : 'own' : error_name()`,
    must: /^(own|ESRCH)$/,
  },
  { name: 'kills process 1', perl: `kill 9, 1; kill(0, 1) ? 'lives' : 'gone'`, must: /^lives$/ },
  {
    name: 'has descriptors of somebody else',
    perl: `join ' ', grep { !m{^(pipe:|/dev/null|/proc/|/app/|socket:)} } map { readlink($_) // () } glob '/proc/self/fd/*'`,
    must: /^$/,
  },
  {
    // The file is one of its own root; the test compares the layers.
    name: 'overwrites the program of process 1',
    perl: `my $own = opened('/proc/1/exe', O_WRONLY); $own`,
    must: /^(ETXTBSY|EACCES|EPERM|EROFS|done)$/,
  },

  // Files of the host.
  { name: 'reads a file of the host', perl: `content_of($ENV{HOST_FILE})`, must: /^ENOENT$/ },
  { name: 'reads it through process 1', perl: `content_of("/proc/1/root$ENV{HOST_FILE}")`, must: /^ENOENT$/ },
  {
    name: 'climbs out of a chroot',
    perl: `mkdir '/tmp/jail'; opendir my $out, '/'; chroot '/tmp/jail'; chdir '..' for 1 .. 64; chroot '.';
      content_of(".$ENV{HOST_FILE}")`,
    must: /^ENOENT$/,
  },
  {
    name: 'finds the socket of Docker',
    perl: `join ' ', grep { -S } glob('/run/*.sock /var/run/*.sock /run/*/*.sock /stagerfs/run/*.sock')`,
    must: /^$/,
  },
  {
    name: 'sets an attribute that overlayfs trusts',
    perl: `mkdir '/tmp/t'; tried('lsetxattr', '/tmp/t', 'trusted.overlay.redirect', '/etc', 4, 0)`,
    must: /^(EPERM|EACCES|EOPNOTSUPP)$/,
  },
  {
    name: 'writes to the layers below /stagerfs',
    perl: `open(my $file, '>', '/stagerfs/bin/busybox') ? 'done' : error_name()`,
    // In the upper directory of this launch; the test compares the layers.
    must: /^(done|EACCES|EROFS)$/,
  },
  {
    name: 'writes to its own root',
    perl: `unlink '/bin/wget'; open(my $file, '>', '/bin/wget') ? 'done' : error_name()`,
    must: /^done$/,
  },
  {
    name: 'makes a file immutable',
    perl: `open my $file, '>', '/tmp/immutable'; tried('ioctl', fileno $file, 0x40086602, pack('q', 0x10))`,
    must: /^(EPERM|ENOTTY|EOPNOTSUPP)$/,
  },

  // The network.
  {
    name: 'reaches a service of the host through the bridge',
    perl: `my ($at) = $ENV{STAGER_URL} =~ m{//([^:]+)}; join ' ', map { knock($at, $_) } $ENV{HOST_PORT}, 22, 2375`,
    must: CLOSED,
  },
  {
    name: 'reaches it at the address of the host',
    perl: `knock($ENV{HOST_ADDRESS}, $ENV{HOST_PORT})`,
    must: CLOSED,
  },
  { name: 'reaches the metadata of a cloud', perl: `knock('169.254.169.254', 80)`, must: CLOSED },
  { name: 'reaches the bridge of Docker', perl: `knock('172.17.0.1', $ENV{HOST_PORT})`, must: CLOSED },
  { name: 'reaches the network without egress', perl: `knock('192.0.2.1', 80)`, must: CLOSED },
  {
    name: 'reaches an abstract socket of the host',
    perl: `IO::Socket::UNIX->new(Peer => "\\0$ENV{HOST_ABSTRACT}") ? 'open' : 'shut'`,
    must: CLOSED,
  },
  {
    name: 'makes an interface',
    perl: `sh('ip link add name evil0 type dummy 2>&1') =~ /(not permitted|denied|RTNETLINK|can't)/ ? 'refused' : 'made'`,
    must: /^refused$/,
  },
  {
    name: 'takes another address',
    perl: `sh('ip addr add 198.51.100.1/32 dev lo 2>&1'); sh('ip addr') =~ /198[.]51/ ? 'taken' : 'refused'`,
    must: /^refused$/,
  },
  {
    name: 'sees interfaces of the host',
    perl: `join ' ', grep { !/^(lo|eth0|tunl0|sit0|ip6tnl0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6gre0)$/ }
      map { m{([^/]+)$} } glob '/sys/class/net/*'`,
    must: /^$/,
  },
  {
    name: 'asks with a UUID of another launch',
    perl: `local $ENV{STAGER_URL} = $ENV{STAGER_URL} =~ s{[^/]+$}{5a0b4d8e-6d27-4a3c-9d53-0d5f8f6f7a10}r; asked('POST', '/done')`,
    must: /^452 /,
  },
  {
    name: 'asks for a path outside of its launch',
    perl: `asked('GET', '/../../../v1/packages')`,
    must: /^(404|450|451|499) /,
  },
]
