// Mode `queue`: hands out items over HTTP and counts. POST /take answers 200 {"item": N}, or 204 when none waits;
// POST /done?item=N 204, or 410 when the item had been handed to somebody else; GET /counters; GET /healthz.
import { createServer } from 'node:http';
import type { TargetConfig } from './config.ts';
import { WorkQueue } from './work-queue.ts';

/** Rejects when the port cannot be had. Ends the process on SIGTERM: what waits is of no use to anybody then. */
export async function serveQueue({ port, bindAddress, queueing }: TargetConfig): Promise<void> {
  process.on('SIGTERM', () => process.exit(0));
  const queue = new WorkQueue(queueing);
  const server = createServer((request, response) => {
    request.resume();
    const { status, body } = answerOf(queue, request.method ?? '', request.url ?? '', performance.now());
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(body === undefined ? undefined : `${JSON.stringify(body)}\n`);
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, host: bindAddress }, resolve);
  });
  process.stdout.write('listening\n');
}

function answerOf(
  queue: WorkQueue,
  method: string,
  url: string,
  nowMs: number,
): { readonly status: number; readonly body?: unknown } {
  const [path, query] = url.split('?', 2);
  switch (`${method} ${path}`) {
    case 'POST /take': {
      const item = queue.take(nowMs);
      return item === undefined ? { status: 204 } : { status: 200, body: { item } };
    }
    case 'POST /done': {
      const item = Number(new URLSearchParams(query).get('item') ?? Number.NaN);
      return { status: queue.finish(item, nowMs) ? 204 : 410 };
    }
    case 'GET /counters':
      return { status: 200, body: { atMs: nowMs, ...queue.counters(nowMs) } };
    case 'GET /healthz':
      return { status: 200, body: {} };
    default:
      return { status: 404, body: { error: 'the queue takes POST /take, POST /done?item=N, GET /counters' } };
  }
}
