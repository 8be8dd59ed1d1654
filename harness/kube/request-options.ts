// What a request to the API server can be told.
export interface RequestOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  /** From the request to the end of the answer. Default 15 s. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal | undefined;
}
