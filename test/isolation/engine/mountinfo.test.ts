import { describe, expect, it } from 'vitest'
import { optionOf, parseMountinfo } from '../../../isolation/engine/mountinfo.js'
import { rootDirectories } from '../../../isolation/engine/root-directories.js'

// Output of real kernels, with shortened identifiers.

/** Docker 20.10 on Linux 6.18, cgroups version 1. */
const OVERLAY2 = `\
72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/EXXB:/var/lib/docker/overlay2/l/CFZL,upperdir=/var/lib/docker/overlay2/1e49/diff,workdir=/var/lib/docker/overlay2/1e49/work
73 72 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
78 77 0:29 /docker/4128 /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec,relatime - cgroup cgroup rw,cpu
89 72 254:0 /var/lib/docker/containers/4128/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw,discard
`
const OVERLAY2_WITH_MANY_LAYERS =
  '72 48 0:39 / / rw,relatime - overlay overlay rw,lowerdir=l/EXXB:l/CFZL:l/QQQQ,upperdir=1e49/diff,workdir=1e49/work\n'

/** Docker 28 with containerd's image store, containerd 1.7, Linux 6.8, cgroups version 2. The last mount is the host's. */
const CONTAINERD_STORE = `\
641 480 0:71 / / rw,relatime master:318 - overlay overlay rw,lowerdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/9/fs:/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/5/fs,upperdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs,workdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/work,uuid=on,nouserxattr
642 641 0:74 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
643 641 0:75 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755,inode64
646 645 0:29 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw,nsdelegate,memory_recursiveprot
647 641 252:1 /var/lib/docker/containers/4128/hosts /etc/hosts rw,relatime - ext4 /dev/vda1 rw,discard,errors=remount-ro
318 29 0:71 / /var/lib/docker/rootfs/overlayfs/4128 rw,relatime shared:318 - overlay overlay rw,lowerdir=/elsewhere
`
/** The same with more layers than absolute paths fit in a page: containerd mounts with relative paths. */
const CONTAINERD_WITH_MANY_LAYERS =
  '641 480 0:71 / / rw,relatime master:318 shared:9 - overlay overlay rw,lowerdir=9/fs:5/fs,upperdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs,workdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/work,uuid=on,nouserxattr\n'
/** A mount by fsconfig(2), which containerd 2 uses from Linux 6.5 on; here 6.18. */
const LAYER_BY_LAYER =
  '85 27 0:56 / / rw,relatime - overlay overlay rw,lowerdir+=/srv/snapshots/9/fs,lowerdir+=/srv/a:b\\134c/5/fs,upperdir=/srv/snapshots/12\\054x/fs,workdir=/srv/snapshots/12/work,uuid=on,nouserxattr\n'
/** The same names in a string of options, Linux 6.18. */
const ODD_NAMES =
  '173 27 0:61 / / rw,relatime - overlay o rw,lowerdir=/srv/snapshots/9/fs:/srv/a\\134:b\\134\\134c/5/fs,upperdir=/srv/snapshots/12\\134\\054x/fs,workdir=/srv/snapshots/12/work,uuid=on\n'
const VFS = '72 48 254:0 /var/lib/docker/vfs/dir/77 / rw,relatime - ext4 /dev/vda rw,discard\n'
/** Docker 20.10 on btrfs, OpenSUSE. */
const BTRFS =
  '400 365 0:29 /@/var/lib/docker/btrfs/subvolumes/78c1 / rw,relatime master:52 - btrfs /dev/sda2 rw,space_cache,subvolid=353,subvol=/@/var/lib/docker/btrfs/subvolumes/78c1\n'
const SNAPSHOTS = '/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots'

describe('mountinfo', () => {
  it('finds the fields before and after any number of optional fields', () => {
    const [entry] = parseMountinfo(CONTAINERD_WITH_MANY_LAYERS)
    expect(entry).toMatchObject({ root: '/', mountPoint: '/', type: 'overlay', source: 'overlay' })
    expect(optionOf(entry!, 'uuid')).toBe('on')
    expect(optionOf(entry!, 'missing')).toBeUndefined()
  })

  it('decodes the escapes of the kernel', () => {
    const [entry] = parseMountinfo('1 2 0:3 / /a\\040b\\134c rw - overlay src\\011x rw,upperdir=/u\\054v,index=off\n')
    expect(entry).toMatchObject({ mountPoint: '/a b\\c', source: 'src\tx' })
    expect(entry!.superOptions).toEqual(['rw', 'upperdir=/u,v', 'index=off'])
  })

  it('skips lines that it cannot parse', () => {
    expect(parseMountinfo('\nnonsense\n1 2 3\n')).toEqual([])
  })
})

describe('the root of a container', () => {
  it('is found with overlay2', () => {
    expect(rootDirectories(OVERLAY2, '/var/lib/docker')).toEqual({
      upper: '/var/lib/docker/overlay2/1e49/diff',
      lowers: ['/var/lib/docker/overlay2/l/EXXB', '/var/lib/docker/overlay2/l/CFZL'],
    })
  })

  it('is found with overlay2 and more layers than absolute paths fit in a page', () => {
    expect(rootDirectories(OVERLAY2_WITH_MANY_LAYERS, '/srv/docker')).toEqual({
      upper: '/srv/docker/overlay2/1e49/diff',
      lowers: ['/srv/docker/overlay2/l/EXXB', '/srv/docker/overlay2/l/CFZL', '/srv/docker/overlay2/l/QQQQ'],
    })
  })

  it.each([
    ["containerd's image store", CONTAINERD_STORE],
    ["containerd's image store and many layers", CONTAINERD_WITH_MANY_LAYERS],
  ])('is found with %s', (_, mountinfo) => {
    expect(rootDirectories(mountinfo, '/var/lib/docker')).toEqual({
      upper: `${SNAPSHOTS}/12/fs`,
      lowers: [`${SNAPSHOTS}/9/fs`, `${SNAPSHOTS}/5/fs`],
    })
  })

  it.each([
    ['layer by layer', LAYER_BY_LAYER],
    ['by one string of options', ODD_NAMES],
  ])('is found if it was mounted %s, whatever the names', (_, mountinfo) => {
    expect(rootDirectories(mountinfo, '/var/lib/docker')).toEqual({
      upper: '/srv/snapshots/12,x/fs',
      lowers: ['/srv/snapshots/9/fs', '/srv/a:b\\c/5/fs'],
    })
  })

  it.each([
    ['ext4', VFS],
    ['btrfs', BTRFS],
    ['\\(none\\)', ''],
  ])('is rejected with a remedy if it is not an overlay but %s', (type, mountinfo) => {
    const look = () => rootDirectories(mountinfo, '/var/lib/docker')
    expect(look).toThrow(expect.objectContaining({ code: 'root-not-overlay' }) as Error)
    expect(look).toThrow(new RegExp(`mount of type ${type}.*overlay2`))
  })

  it('is rejected if overlayfs may copy up only attributes (metacopy)', () => {
    const withOption = (option: string) => OVERLAY2.replace('/work\n', `/work,${option}\n`)
    const refusal = expect.objectContaining({ code: 'overlay-metacopy' }) as Error
    expect(() => rootDirectories(withOption('redirect_dir=on,metacopy=on'), '/var/lib/docker')).toThrow(refusal)
    // The kernel lists only options that differ from its default.
    expect(() => rootDirectories(OVERLAY2, '/var/lib/docker', true)).toThrow(refusal)
    expect(rootDirectories(withOption('metacopy=off'), '/var/lib/docker', true).upper).toContain('1e49')
  })
})
