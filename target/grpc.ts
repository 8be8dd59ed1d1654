// gRPC by hand: the standard health service, a unary call and a stream of messages. No library: the target starts
// hundreds of times in a test run, and its start is part of what is measured.
import type { Http2ServerRequest, Http2ServerResponse } from 'node:http2';
import type { TargetConfig } from './config.ts';
import { everyInterval, type Streams } from './streams.ts';

const OK = '0';
const UNIMPLEMENTED = '12';
const UNAVAILABLE = '14';

export const isGrpc = (request: Http2ServerRequest): boolean =>
  (request.headers['content-type'] ?? '').startsWith('application/grpc');

/** Service rollproof.v1.Target: Call, and Stream with the header x-rollproof-interval-ms. */
export function answerGrpc(
  config: TargetConfig,
  request: Http2ServerRequest,
  response: Http2ServerResponse,
  healthy: () => boolean,
  streams: Streams,
): void {
  request.on('error', () => {});
  response.on('error', () => {});
  request.resume();
  switch (request.url) {
    case '/grpc.health.v1.Health/Check':
      // HealthCheckResponse.status: 1 is SERVING, 2 NOT_SERVING.
      unary(Buffer.from([8, healthy() ? 1 : 2]));
      return;
    case '/rollproof.v1.Target/Call': {
      const held = Number(request.headers['x-rollproof-ms'] ?? config.workMs);
      setTimeout(() => unary(Buffer.from(config.version)), held);
      return;
    }
    case '/rollproof.v1.Target/Stream':
      stream(Number(request.headers['x-rollproof-interval-ms'] ?? 1000));
      return;
    default:
      head();
      trailers(UNIMPLEMENTED, `no method ${request.url}`);
  }

  function head(): void {
    response.writeHead(200, {
      'content-type': 'application/grpc',
      'x-rollproof-pod': config.podName,
      'x-rollproof-version': config.version,
    });
  }

  function unary(message: Buffer): void {
    if (response.stream.destroyed) return;
    head();
    response.write(framed(message));
    trailers(OK);
  }

  function trailers(status: string, text?: string): void {
    if (response.stream.destroyed) return;
    response.addTrailers({ 'grpc-status': status, ...(text !== undefined && { 'grpc-message': text }) });
    response.end();
  }

  function stream(intervalMs: number): void {
    head();
    const stop = everyInterval(Math.max(1, intervalMs), 0, (number) => {
      if (!response.stream.destroyed)
        response.write(framed(Buffer.concat([Buffer.from([8]), varint(number)])));
    });
    const gone = streams.add({
      end() {
        stop();
        trailers(UNAVAILABLE, 'going away');
      },
    });
    response.stream.on('close', () => {
      stop();
      gone();
    });
  }
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

function varint(number: number): Buffer {
  const bytes: number[] = [];
  let rest = number;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  bytes.push(rest);
  return Buffer.from(bytes);
}
