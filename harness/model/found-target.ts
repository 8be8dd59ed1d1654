// What `rollproof init` found of a target.
export interface FoundTarget {
  readonly kind: string;
  readonly name: string;
  /** "file:line". */
  readonly at: string;
  readonly service: string | undefined;
  /** Where the Service has several. */
  readonly port: number | string | undefined;
  /** Of the readiness probe. */
  readonly path: string | undefined;
  /** undefined: HTTP/1.1 in plain text. */
  readonly speaks: { readonly protocol: 'grpc' | 'http2' | 'tls'; readonly because: string } | undefined;
  readonly container: string | undefined;
  readonly image: string | undefined;
  /** Images of all containers that stand beside it, too. */
  readonly images: readonly string[];
  readonly scenario: string;
  /** What could not be found, a sentence each. */
  readonly missing: readonly string[];
}
