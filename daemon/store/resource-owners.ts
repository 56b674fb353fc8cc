/** Whose data a blob is. */
export interface ResourceOwners {
  /** The namespaces of the packages that have it, have had it, or are staged from it. */
  namespacesOf(sha256: string): Promise<readonly string[]>
}
