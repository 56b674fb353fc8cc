/** A number as such, all else as a string. */
export function tomlValue(text: string): string {
  return /^[0-9]+$/.test(text) ? text : JSON.stringify(text)
}
