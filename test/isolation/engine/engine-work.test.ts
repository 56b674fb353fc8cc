import { describe, expect, it } from 'vitest'
import { askEngineToWork } from '../../../isolation/engine/engine-work.js'
import { engineThatAnswers, ok } from '../../support/engine-that-answers.js'

const ALIVE = ok({ Components: [{ Name: 'Engine' }, { Name: 'containerd' }] })
const limits = { checkEveryMs: 10, pingMs: 5_000, deadlineMs: 60_000 }

describe('work of the Engine', () => {
  it('may take as long as it wants, while the Engine answers other questions', async () => {
    const { engine, asked } = await engineThatAnswers({ 'GET /version': [ALIVE] })
    let finish: (done: string) => void = () => undefined
    const started = askEngineToWork(engine, 'start a container', new Promise((resolve) => (finish = resolve)), limits)
    await expect.poll(() => asked.length).toBeGreaterThan(3)
    finish('started')
    expect(await started).toBe('started')
  })

  it('has failed when the Engine does not answer any more', async () => {
    const { engine } = await engineThatAnswers({ 'GET /version': [ALIVE, ok({ Components: [{ Name: 'Engine' }] })] })
    await expect(
      askEngineToWork(engine, 'start a container', new Promise(() => undefined), limits),
    ).rejects.toMatchObject({
      code: 'engine-down',
      message:
        'The Docker Engine did not start a container within 0.01 s, and does not answer: The Docker Engine cannot reach containerd: start containerd.',
    })
  })

  it('has failed at its deadline, whatever the Engine answers', async () => {
    const { engine } = await engineThatAnswers({ 'GET /version': [ALIVE] })
    const asked = askEngineToWork(engine, 'start a container', new Promise(() => undefined), {
      ...limits,
      deadlineMs: 50,
    })
    await expect(asked).rejects.toMatchObject({ code: 'engine-down' })
  })

  it('keeps the refusal of the Engine', async () => {
    const { engine } = await engineThatAnswers({
      'POST /containers/c/start': [{ status: 409, body: { message: 'no' } }],
    })
    const started = engine.getContainer('c').start()
    await expect(askEngineToWork(engine, 'start a container', started)).rejects.toMatchObject({
      code: 'engine-refused',
    })
  })
})
