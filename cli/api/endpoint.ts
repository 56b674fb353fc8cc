/** Where a control API is. */
export type Endpoint =
  /** A control socket of this host. */
  | { readonly kind: 'socket'; readonly path: string }
  | {
      readonly kind: 'address'
      /** Without a path: `https://stagerd.example.org:7300`. */
      readonly url: string
      /** The certificates that are trusted, in PEM; undefined for those that the host trusts. */
      readonly ca: string | undefined
      /** Secret: no message shows it. */
      readonly token: string | undefined
    }
