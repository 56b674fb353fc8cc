import { Type, type Static } from 'typebox'
import { closed } from './schema.js'

/** The container of a failed launch, which is kept for shells. */
export const KeptContainer = Type.Object(
  {
    staging: Type.String(),
    package: Type.String(),
    stager: Type.String({ description: 'whose launch has failed' }),
    since: Type.String(),
    until: Type.String({ description: 'when it is removed' }),
    shells: Type.Integer({ description: 'number of open shells' }),
    used_bytes: Type.Optional(Type.Integer({ description: 'what it has written, when it was frozen last' })),
  },
  { ...closed, title: 'KeptContainer' },
)
export type KeptContainer = Static<typeof KeptContainer>

/** How long containers can be kept: a day. */
export const MAX_KEEP_SECONDS = 86_400

export const keepFailedSeconds = Type.Integer({
  minimum: 1,
  maximum: MAX_KEEP_SECONDS,
  description: 'keep the container of a launch that fails for so long; default: not at all',
})

export const TerminalSize = Type.Object(
  { columns: Type.Integer({ minimum: 1, maximum: 65535 }), rows: Type.Integer({ minimum: 1, maximum: 65535 }) },
  { ...closed, title: 'TerminalSize' },
)
export type TerminalSize = Static<typeof TerminalSize>

/**
 * POST /v1/stagings/{uuid}/shells. The response is a stream of newline-delimited `ShellEvent`s. The shell is hung up when
 * the client disconnects.
 */
export const ShellDraft = Type.Object(
  {
    command: Type.Optional(
      Type.Array(Type.String({ pattern: String.raw`^[^\u0000]*$` }), {
        minItems: 1,
        maxItems: 1000,
        description: 'argument vector; default: bash, or else sh',
      }),
    ),
    terminal: Type.Optional(
      Type.Object(
        {
          type: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$', description: 'the value of TERM' }),
          ...TerminalSize.properties,
        },
        { ...closed, description: 'default: none, and stdout and stderr are separate' },
      ),
    ),
  },
  { ...closed, title: 'ShellDraft' },
)
export type ShellDraft = Static<typeof ShellDraft>

export const ShellEvent = Type.Union(
  [
    Type.Object(
      { event: Type.Literal('started'), shell: Type.String({ format: 'uuid', description: 'for its input and size' }) },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('output'),
        stream: Type.Union([Type.Literal('stdout'), Type.Literal('stderr')]),
        data: Type.String({ description: 'base64' }),
      },
      closed,
    ),
    Type.Object(
      {
        event: Type.Literal('ended'),
        exit_code: Type.Optional(Type.Integer()),
        message: Type.Optional(Type.String({ description: 'without an exit code: why the shell has ended' })),
      },
      closed,
    ),
  ],
  { title: 'ShellEvent' },
)
export type ShellEvent = Static<typeof ShellEvent>
