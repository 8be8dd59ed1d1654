// What the API server answers when it refuses, and how to read it.

export interface Answer {
  readonly status: number;
  readonly text: string;
}

/** An answer outside 200–299. `status` is the HTTP status, `message` the API server's own words. */
export class ApiError extends Error {
  readonly status: number;
  readonly reason: string;
  constructor(status: number, reason: string, message: string) {
    super(message);
    this.name = 'ApiError';
    this.status = status;
    this.reason = reason;
  }
}

export function toApiError(answer: Answer): ApiError {
  try {
    const status = JSON.parse(answer.text) as { reason?: string; message?: string };
    return new ApiError(answer.status, status.reason ?? '', status.message ?? answer.text);
  } catch {
    return new ApiError(answer.status, '', answer.text.trim().slice(0, 300) || `HTTP ${answer.status}`);
  }
}

/** The HTTP status of an error of the API; undefined for other errors. */
export const apiStatus = (error: unknown): number | undefined =>
  error instanceof ApiError ? error.status : undefined;

/** The API server's own words, or the error's. */
export const apiMessage = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);
