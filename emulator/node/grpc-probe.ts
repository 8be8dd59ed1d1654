// One gRPC health check (grpc.health.v1.Health/Check), without TLS, as pkg/probe/grpc makes it.
import { connect, constants } from 'node:http2';
import type { ProbeOutcome } from './probe.ts';

const UNIMPLEMENTED = '12';
const SERVING = 1;
const statusNames = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN'];

export function probeGrpc(
  place: { readonly host: string; readonly port: number },
  service: string,
  timeoutMs: number,
): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const session = connect(`http://${place.host}:${place.port}`);
    let connected = false;
    const end = (outcome: ProbeOutcome) => {
      clearTimeout(timer);
      session.destroy();
      resolve(outcome);
    };
    const fail = (output: string) => end({ success: false, output });
    const timer = setTimeout(
      () =>
        fail(
          connected
            ? `timeout: health rpc did not complete within ${timeoutMs / 1000}s`
            : `timeout: failed to connect service "${place.host}:${place.port}" within ${timeoutMs / 1000}s: context deadline exceeded`,
        ),
      timeoutMs,
    );
    session.once('connect', () => {
      connected = true;
    });
    session.on('error', (error) =>
      fail(`error: failed to connect service at "${place.host}:${place.port}": ${error.message}`),
    );
    const stream = session.request({
      [constants.HTTP2_HEADER_METHOD]: 'POST',
      [constants.HTTP2_HEADER_PATH]: '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
      'user-agent': 'kube-probe/1.34',
    });
    const chunks: Buffer[] = [];
    let status: string | undefined;
    stream.on('response', (headers) => {
      status = headers['grpc-status'] as string | undefined;
    });
    stream.on('trailers', (trailers) => {
      status = trailers['grpc-status'] as string | undefined;
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', (error) => fail(`error: health rpc failed: ${error.message}`));
    stream.on('end', () => {
      // As grpc-go says both; the kubelet puts its own words before the first.
      if (status === UNIMPLEMENTED) {
        fail(
          'error: this server does not implement the grpc health protocol (grpc.health.v1.Health): rpc error: code = Unimplemented',
        );
        return;
      }
      if (status === undefined) {
        fail(
          'error: health rpc failed: rpc error: code = Internal desc = server closed the stream without sending trailers',
        );
        return;
      }
      if (status !== '0') {
        fail(`error: health rpc failed: rpc error: code = ${status}`);
        return;
      }
      const serving = servingStatus(Buffer.concat(chunks));
      if (serving === SERVING) end({ success: true, output: '' });
      else fail(`service unhealthy (responded with "${statusNames[serving] ?? serving}")`);
    });
    stream.end(request(service));
  });
}

/** HealthCheckRequest {string service = 1} behind the five bytes of a gRPC message. */
function request(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length > 0 ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : Buffer.alloc(0);
  const head = Buffer.alloc(5);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** HealthCheckResponse {ServingStatus status = 1}; the default of an enum is not sent. */
const servingStatus = (answer: Buffer): number => (answer[5] === 0x08 ? (answer[6] ?? 0) : 0);
