// Answers: JSON bodies, Status errors, warnings.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { failure, type Status } from '../errors.ts';
import type { JsonObject } from '../objects.ts';
import { encodeProtobuf, protobufType } from '../protobuf/encode.ts';
import type { Served } from '../served.ts';
import { StatusError } from '../types.ts';
import { wantedForm } from './negotiation.ts';

/** An object of the API, as protobuf where that is wanted and its kind has such a form. */
export function sendApiObject(
  req: IncomingMessage,
  res: ServerResponse,
  code: number,
  body: object,
  headers: Record<string, string> = {},
) {
  const bytes = wantedForm(req).media === 'protobuf' ? encodeProtobuf(body as JsonObject) : undefined;
  if (bytes) sendText(res, code, bytes, protobufType, headers);
  else sendJson(res, code, body, headers);
}

export function sendJson(
  res: ServerResponse,
  code: number,
  body: unknown,
  headers: Record<string, string> = {},
) {
  sendText(res, code, `${JSON.stringify(body)}\n`, 'application/json', headers);
}

export function sendText(
  res: ServerResponse,
  code: number,
  text: string | Buffer,
  contentType: string,
  headers: Record<string, string> = {},
) {
  res.writeHead(code, {
    'content-type': contentType,
    'content-length': Buffer.byteLength(text),
    'cache-control': 'no-cache, private',
    'audit-id': randomUUID(),
    ...headers,
  });
  res.end(text);
}

/** Errors that are no StatusError are defects of the emulation: 500 with their message. */
export function sendError(req: IncomingMessage, res: ServerResponse, error: unknown) {
  if (res.headersSent) {
    res.destroy();
    return;
  }
  const status = error instanceof StatusError ? error : internalError(error);
  const retryAfter = status.details?.retryAfterSeconds;
  sendApiObject(
    req,
    res,
    status.code,
    failure(status),
    typeof retryAfter === 'number' ? { 'retry-after': String(retryAfter) } : {},
  );
}

export function internalError(error: unknown): StatusError {
  const message = error instanceof Error ? error.message : String(error);
  return new StatusError(500, 'InternalError', `Internal error occurred: ${message}`, {
    causes: [{ message }],
  });
}

/** The Warning header (RFC 7234); kubectl prints it on stderr. */
export function warningHeader(warnings: readonly string[]): Record<string, string> {
  if (warnings.length === 0) return {};
  const quoted = warnings.map((text) => `299 - "${text.replace(/[\\"]/g, '\\$&')}"`);
  return { warning: quoted.join(', ') };
}

export function success(served: Served, name: string, uid: string): Status {
  return {
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name, ...(served.group ? { group: served.group } : {}), kind: served.resource, uid },
  };
}
