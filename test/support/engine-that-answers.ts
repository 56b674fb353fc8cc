import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import path from 'node:path'
import Docker from 'dockerode'
import { onTestFinished } from 'vitest'

export interface Answer {
  readonly status: number
  readonly body: object
}

export const ok = (body: object): Answer => ({ status: 200, body })

/** An Engine that gives the listed answers in order, by the path without its version; the last one again and again. */
export async function engineThatAnswers(answers: Readonly<Record<string, readonly Answer[]>>) {
  const directory = await mkdtemp(path.join(tmpdir(), 'stagerd-engine-'))
  const asked: string[] = []
  const server = createServer((request, response: ServerResponse) => {
    const name = `${request.method} ${(request.url ?? '').replace(/\?.*/, '')}`
    const all = answers[name] ?? []
    const answer = all[Math.min(asked.filter((other) => other === name).length, all.length - 1)]
    asked.push(name)
    request.resume()
    response.writeHead(answer?.status ?? 501, { 'content-type': 'application/json', connection: 'close' })
    response.end(JSON.stringify(answer?.body ?? { message: `nobody expects ${name}` }))
  })
  const socketPath = path.join(directory, 'docker.sock')
  await once(server.listen(socketPath), 'listening')
  onTestFinished(async () => {
    server.close()
    await rm(directory, { recursive: true })
  })
  return { engine: new Docker({ socketPath }), asked, directory }
}
