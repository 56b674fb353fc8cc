/** Many connections of one client at once, which stay open while a neighbour asks. */
export interface Load {
  readonly name: string
  /** As in requests.ts. */
  readonly bytes: string
  readonly count: number
  /** Whether it reads what is answered. */
  readonly reads: boolean
  /** How many of the connections each door closes by itself. */
  readonly closed: { readonly stager: number; readonly control: number }
}

const OPEN = { stager: 0, control: 0 }

/** A launch has 256 connections. Whoever may use the control socket controls the host anyway, so it has no such limit. */
export const LOADS: readonly Load[] = [
  { name: 'connections that say nothing', bytes: '', count: 300, reads: true, closed: { stager: 44, control: 0 } },
  { name: 'heads that never end', bytes: 'READ HTTP/1.1\r\nHOST\r\nX: ', count: 200, reads: true, closed: OPEN },
  {
    name: 'uploads that stand still',
    bytes: 'UPLOAD HTTP/1.1\r\nHOST\r\nContent-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\nhalf',
    count: 50,
    reads: false,
    closed: OPEN,
  },
  {
    name: 'changes that stand still',
    bytes: 'CHANGE HTTP/1.1\r\nHOST\r\nFORM\r\nContent-Length: 1000\r\n\r\n{',
    count: 200,
    reads: true,
    closed: OPEN,
  },
  {
    name: 'requests whose answers nobody reads',
    bytes: 'READ HTTP/1.1\r\nHOST\r\n\r\n'.repeat(200),
    count: 20,
    reads: false,
    closed: OPEN,
  },
  { name: 'noise', bytes: '\0\x01\x02'.repeat(100), count: 200, reads: true, closed: { stager: 200, control: 200 } },
]
