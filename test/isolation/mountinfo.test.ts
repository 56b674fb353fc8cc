import { describe, expect, it } from 'vitest'
import { optionOf, parseMountinfo } from '../../isolation/engine/mountinfo.js'
import { rootDirectories } from '../../isolation/engine/root-directories.js'

// Recorded, with shortened identifiers.
const OVERLAY2 = `\
72 48 0:39 / / rw,relatime master:2 - overlay overlay rw,lowerdir=/var/lib/docker/overlay2/l/EXXB:/var/lib/docker/overlay2/l/CFZL,upperdir=/var/lib/docker/overlay2/1e49/diff,workdir=/var/lib/docker/overlay2/1e49/work
73 72 0:42 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
78 77 0:29 /docker/4128 /sys/fs/cgroup/cpu ro,nosuid,nodev,noexec,relatime - cgroup cgroup rw,cpu
89 72 254:0 /var/lib/docker/containers/4128/resolv.conf /etc/resolv.conf rw,relatime - ext4 /dev/vda rw,discard
`
const OVERLAY2_WITH_MANY_LAYERS =
  '72 48 0:39 / / rw,relatime - overlay overlay rw,lowerdir=l/EXXB:l/CFZL:l/QQQQ,upperdir=1e49/diff,workdir=1e49/work\n'
const CONTAINERD_SNAPSHOTTER =
  '641 480 0:71 / / rw,relatime master:318 shared:9 - overlay overlay rw,lowerdir=9/fs:5/fs,upperdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/fs,workdir=/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots/12/work,uuid=on,nouserxattr\n'
const VFS = '72 48 254:0 /var/lib/docker/vfs/dir/77 / rw,relatime - ext4 /dev/vda rw,discard\n'

describe('mountinfo', () => {
  it('finds the fields on either side of any number of optional ones', () => {
    const [entry] = parseMountinfo(CONTAINERD_SNAPSHOTTER)
    expect(entry).toMatchObject({ root: '/', mountPoint: '/', type: 'overlay', source: 'overlay' })
    expect(optionOf(entry!, 'uuid')).toBe('on')
    expect(optionOf(entry!, 'missing')).toBeUndefined()
  })

  it('unescapes what the kernel escapes', () => {
    const [entry] = parseMountinfo('1 2 0:3 / /a\\040b\\134c rw - overlay src\\011x rw,upperdir=/u\\054v,index=off\n')
    expect(entry).toMatchObject({ mountPoint: '/a b\\c', source: 'src\tx' })
  })

  it('skips lines that it does not understand', () => {
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

  it('is found with overlay2 and more layers than absolute names fit a page', () => {
    expect(rootDirectories(OVERLAY2_WITH_MANY_LAYERS, '/srv/docker')).toEqual({
      upper: '/srv/docker/overlay2/1e49/diff',
      lowers: ['/srv/docker/overlay2/l/EXXB', '/srv/docker/overlay2/l/CFZL', '/srv/docker/overlay2/l/QQQQ'],
    })
  })

  it("is found with containerd's overlay snapshotter", () => {
    const snapshots = '/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots'
    expect(rootDirectories(CONTAINERD_SNAPSHOTTER, '/var/lib/docker')).toEqual({
      upper: `${snapshots}/12/fs`,
      lowers: [`${snapshots}/9/fs`, `${snapshots}/5/fs`],
    })
  })

  it('is refused with a way out where there is no overlay', () => {
    expect(() => rootDirectories(VFS, '/var/lib/docker')).toThrow(/mount of type ext4.*overlay2/)
  })
})
