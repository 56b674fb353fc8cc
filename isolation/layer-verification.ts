/** The part of an isolation that looks after the layers on the disk. */
export interface LayerVerification {
  /** All complete layers. */
  layers(): Promise<readonly { readonly id: string; readonly bytes: number }[]>
  /**
   * Compares a layer with its blob. One that differs is thrown away, so that the next launch has it made again, unless a
   * launch uses it: then it is thrown away by the next call.
   *
   * Throws what reading the blob throws, `Unavailable` (`disk-full`), and the reason of the signal. Nothing is known of the
   * layer then.
   */
  verifyLayer(id: string, options: LayerVerifyOptions): Promise<LayerVerdict>
}

export interface LayerVerifyOptions {
  /** Called after so many bytes were read; it may delay the next ones. */
  readonly pace: (bytes: number) => Promise<void>
  readonly signal: AbortSignal
}

export type LayerVerdict =
  | 'sound'
  /** It differed, and has been thrown away. */
  | 'replaced'
  /** It differs, and is in use. */
  | 'damaged'
  /** It does not exist, or cannot be compared: it was made by an earlier version, or for another Engine. */
  | 'unknown'
