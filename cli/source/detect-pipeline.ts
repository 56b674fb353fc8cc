import type { Detection, DetectionQuestion } from '../../daemon/documents/detection.js'
import type { Session } from '../session/session.js'
import { readExcerpt } from './read-excerpt.js'
import type { SourceTop } from './source-top.js'

/** A daemon that wants more and more must not keep the client. */
const MOST_ROUNDS = 16

/** Asks the daemon which pipeline fits a source, and reads for it what it wants to know of the content. */
export async function detectPipeline(session: Session, top: SourceTop): Promise<Detection> {
  const { api, namespace, signal } = session
  const excerpts: NonNullable<DetectionQuestion['excerpts']> = []
  for (let round = 1; ; round += 1) {
    const question: DetectionQuestion = { namespace, names: [...top.keys()], excerpts }
    const answer = await api.post<Detection>('/v1/detections', question, { signal })
    if (answer.wanted.length === 0 || round === MOST_ROUNDS) return answer
    for (const { name, member, characters } of answer.wanted) {
      const file = top.get(name)
      const text = file === undefined ? '' : await readExcerpt({ file, member, characters })
      excerpts.push({ name, ...(member === undefined ? {} : { member }), text })
    }
  }
}
