import { assertCommand, assertMetadata } from '../validate.js'
import type { Manifest } from './manifest.js'

/** Checks what goes into packages and runs from a manifest that comes as a document. Throws `BadInput`. */
export function assertManifest({ start_cmd: command, package_dependencies, env, templates }: Manifest): void {
  if (command !== undefined) assertCommand(command)
  assertMetadata({
    ...(package_dependencies ? { dependencies: package_dependencies } : {}),
    ...(env ? { environment: env } : {}),
    ...(templates ? { templates } : {}),
  })
}
