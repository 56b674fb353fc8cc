import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { RunRequest } from '../../../daemon/runs/run.js'
import type { FakeContext, FakeStager } from '../../support/fake-isolation.js'
import { RunsUnderTest, untilStopped } from './runs-under-test.js'

describe('runs of packages', () => {
  let under: RunsUnderTest
  beforeEach(async () => {
    under = await RunsUnderTest.open()
  })
  afterEach(() => under.close())

  describe('end with a hint', () => {
    const hintOf = async (program: FakeStager, request: Partial<RunRequest> = {}) => {
      await under.addApp(program)
      return (await (await under.start(request)).ended).hint
    }
    const publish = [{ containerPort: 3000, hostPort: 0 }]

    it('that fits the last lines of a program that fails', async () => {
      const program: FakeStager = async ({ print, exit }) => {
        await print('Error: getaddrinfo ENOTFOUND api.example.com')
        exit(1)
      }
      expect(await hintOf(program)).toContain("allow it with 'stagectl run --allow-egress'")
    })

    it('about the setting ca-bundle, if the authority is not in it', async () => {
      const program: FakeStager = async ({ print, exit }) => {
        await print('curl: (60) SSL certificate problem: self-signed certificate in certificate chain')
        exit(1)
      }
      expect(await hintOf(program, { egress: true })).toContain("the file of the setting 'ca-bundle' does not have")
    })

    it('about the versions of a runtime that the packages of the node provide', async () => {
      await under.addPackage('ruby', {
        provides: ['ruby', 'ruby-3.10', 'ruby-3.9'].map((name) => ({ type: 'runtime', name })),
      })
      const program: FakeStager = async ({ print, exit }) => {
        await print('Your Ruby version is 3.9.1, but your Gemfile specified 2.1.0')
        exit(18)
      }
      expect(await hintOf(program)).toContain('this node has runtime.ruby-3.9, runtime.ruby-3.10;')
    })

    it('about a port that is not published, when the client stops it', async () => {
      const announced: FakeStager = async ({ print, signal }) => {
        await print('Server listening on port 8080')
        await untilStopped({ signal } as FakeContext)
      }
      await under.addApp(announced)
      const running = await under.start({ publish })
      await expect.poll(() => under.written).toHaveLength(1)
      running.stop()
      expect(await running.ended).toEqual({
        reason: 'stopped',
        hint: "It listens on port 8080, which is not published: let it listen on the port that the variable PORT names, or publish that port with 'stagectl run --publish 8080'.",
      })
    })

    it('of a failure only if there was one', async () => {
      const program: FakeStager = ({ print }) => print('Error: getaddrinfo ENOTFOUND api.example.com')
      expect(await hintOf(program, { publish })).toBeUndefined()
    })
  })
})
