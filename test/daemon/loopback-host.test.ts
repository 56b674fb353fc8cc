import { expect, it } from 'vitest'
import { isForLoopback } from '../../daemon/loopback-host.js'

it.each(['localhost', 'localhost:7300', '127.0.0.1:7300', '127.1.2.3', '[::1]:7300'])('%s is this host', (host) => {
  expect(isForLoopback({ headers: { host } })).toBe(true)
})

it.each(['example.org', 'localhost.example.org', '127.0.0.1.example.org', '', undefined])(
  '%s is another host, whatever its name resolves to',
  (host) => {
    expect(isForLoopback({ headers: host === undefined ? {} : { host } })).toBe(false)
  },
)
