import { CONTROL, IMAGE, MARKS, type Command } from './control-files.js'
import { Faults } from './faults.js'
import { serveFuse } from './fuse-channel.js'
import { Passthrough } from './passthrough.js'
import { Recorder } from './recording.js'

// The process behind a `WatchedDisk`: node disk-server.js FILES MOUNT

const [files = '', mount = ''] = process.argv.slice(2)
const faults = new Faults()
const recorder = new Recorder(IMAGE)

function obey({ fault, record }: Command): void {
  if (fault !== undefined) faults.set(fault ?? undefined)
  if (record === null) recorder.stop()
  else if (record !== undefined) recorder.start(record)
}

const disk = new Passthrough(
  files,
  {
    before: (operation) => faults.before(operation),
    after: (operation) => {
      recorder.happened(operation)
      faults.after(operation)
    },
  },
  {
    [CONTROL]: {
      write: (data) => obey(JSON.parse(data.toString()) as Command),
      read: () => Buffer.from(JSON.stringify(faults.report)),
    },
    [MARKS]: { write: (data) => recorder.mark(data), read: () => Buffer.alloc(0) },
  },
)
serveFuse(mount, (request) => disk.handle(request))
