// Server-sent events: /events?interval=MS goes on for ever, with &for=MS it is an answer that streams, as tokens do.
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { TargetConfig } from './config.ts';
import { everyInterval, type Streams } from './streams.ts';

export function serveEvents(
  config: TargetConfig,
  request: IncomingMessage,
  response: ServerResponse,
  streams: Streams,
): void {
  const query = new URLSearchParams((request.url ?? '').split('?', 2)[1]);
  const intervalMs = Math.max(1, Number(query.get('interval') ?? 1000) || 1000);
  const forMs = Number(query.get('for') ?? 0) || 0;
  const last = Number(request.headers['last-event-id'] ?? 0) || 0;
  response.writeHead(200, {
    'content-type': 'text/event-stream',
    'cache-control': 'no-cache',
    'x-rollproof-pod': config.podName,
    'x-rollproof-version': config.version,
  });
  const stop = everyInterval(intervalMs, last, (number) => {
    response.write(`id: ${number}\ndata: ${config.version}\n\n`);
    // An answer is whole after its time; a drain lets it come to its end.
    if (forMs > 0 && (number - last) * intervalMs >= forMs) finish('event: done\ndata:\n\n');
  });
  const finish = (lastEvent: string): void => {
    stop();
    response.end(lastEvent);
  };
  const gone = streams.add({
    end() {
      // A client that has lost nothing comes back at once.
      if (forMs === 0) finish('retry: 1\nevent: end\ndata:\n\n');
    },
  });
  response.on('close', () => {
    stop();
    gone();
  });
}
