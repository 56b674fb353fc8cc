import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import { hostProcess, unnoticedEnd, untilEnded } from '../../../isolation/engine/unnoticed-end.js'

const TIMES = { intervalMs: 1, noticeMs: 1 }

function signalOfTest(): AbortSignal {
  const over = new AbortController()
  onTestFinished(() => over.abort())
  return over.signal
}

/** With an init that is a real process. */
async function container(exitCodes: readonly (number | undefined | Error)[]) {
  const child = spawn('sleep', ['1000'])
  onTestFinished(() => void child.kill('SIGKILL'))
  await once(child, 'spawn')
  const left = [...exitCodes]
  let asked = 0
  return {
    child,
    init: hostProcess(child.pid!),
    exitCode: () => {
      asked += 1
      const answer = left.shift()
      return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer)
    },
    asked: () => asked,
  }
}

describe('the end of a container', () => {
  it('was not noticed by an Engine that takes the container for running', async () => {
    const ended = await container([undefined])
    const unnoticed = unnoticedEnd(ended, ended.init, signalOfTest(), TIMES)
    ended.child.kill('SIGKILL')
    await expect(unnoticed).rejects.toMatchObject({ kind: 'unavailable', code: 'engine-down' })
  })

  it('is not judged as long as the Engine tells of it, or is down', async () => {
    const ended = await container([137, new Error('connect ENOENT'), undefined])
    const unnoticed = unnoticedEnd(ended, ended.init, signalOfTest(), TIMES)
    ended.child.kill('SIGKILL')
    await expect(unnoticed).rejects.toMatchObject({ code: 'engine-down' })
    expect(ended.asked()).toBe(3)
  })

  it('is no question to the Engine while its init lives', async () => {
    const running = await container([undefined])
    const over = new AbortController()
    let checks = 0
    const init = {
      hasEnded: () => {
        checks += 1
        if (checks === 3) over.abort()
        return running.init.hasEnded()
      },
    }
    void unnoticedEnd(running, init, over.signal, TIMES)
    await expect.poll(() => checks).toBe(3)
    expect(running.asked()).toBe(0)
  })
})

it('the end that is expected soon is looked for less and less often', async () => {
  let looks = 0
  const since = performance.now()
  const init = { hasEnded: () => ++looks > 0 && performance.now() - since > 300 }
  await untilEnded(init, signalOfTest())
  expect(init.hasEnded()).toBe(true)
  expect(looks).toBeLessThan(60)
})

describe('a process', () => {
  it('has ended when its parent has not noticed yet', async () => {
    // The shell does not wait for its child, which becomes a zombie.
    const shell = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 1000'], { stdio: ['ignore', 'pipe', 'ignore'] })
    onTestFinished(() => void shell.kill('SIGKILL'))
    const [pid] = (await once(shell.stdout, 'data')) as [Buffer]
    const child = hostProcess(Number(pid.toString()))
    await expect.poll(() => child.hasEnded()).toBe(true)
  })

  it('lives until its end', async () => {
    const child = spawn('sleep', ['1000'])
    onTestFinished(() => void child.kill('SIGKILL'))
    const first = hostProcess(child.pid!)
    expect(first.hasEnded()).toBe(false)
    child.kill('SIGKILL')
    await once(child, 'exit')
    expect(first.hasEnded()).toBe(true)
  })
})
