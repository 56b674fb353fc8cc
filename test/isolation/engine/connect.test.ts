import { expect, test } from 'vitest'
import { assertNotBehindSsh } from '../../../isolation/engine/connect.js'

test('an Engine behind SSH is refused, because it is on another host', () => {
  expect(() => assertNotBehindSsh('ssh://root@build.example')).toThrow(
    /^DOCKER_HOST is ssh:\/\/root@build\.example, but .* unix:\/\/\/var\/run\/docker\.sock\.$/,
  )
})

test.each([undefined, '', 'unix:///var/run/docker.sock', 'tcp://127.0.0.1:2375'])('DOCKER_HOST may be %s', (host) => {
  expect(() => assertNotBehindSsh(host)).not.toThrow()
})
