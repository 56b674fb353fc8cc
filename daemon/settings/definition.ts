export interface Definition<T> {
  /** Key in the settings file. The flag `--KEY` and the variable `STAGERD_KEY` are derived from it. */
  readonly key: string
  /** Placeholder for the value in the help text. */
  readonly placeholder: string
  readonly default: string
  readonly help: string
  /** What the settings file and the manual say, for this setting and those below it that have none. */
  readonly about?: string
  /** What the settings file shows where the default depends on the host. */
  readonly example?: string
  /** Whether a reload changes it in a running daemon; others need a restart. */
  readonly reloads?: boolean
  /** @param base the directory that a relative path starts from */
  readonly parse: (text: string, base: string) => T
}

/** A setting; see `DEFINITIONS`. */
export function define<T>(
  key: string,
  placeholder: string,
  parse: Definition<T>['parse'],
  defaultValue: string,
  help: string,
  more: Pick<Definition<T>, 'about' | 'example' | 'reloads'> = {},
): Definition<T> {
  return { key, placeholder, default: defaultValue, help, parse, ...more }
}
