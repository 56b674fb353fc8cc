/** Collects the values of each use of an option. */
export function collectTexts(text: string, before: readonly string[] = []): string[] {
  return [...before, text]
}
