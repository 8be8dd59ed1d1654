// The answer of a watch: its events in the wanted form, in bounded memory, and nothing after its end.
import type { ServerResponse } from 'node:http';
import type { JsonObject } from '../objects.ts';
import { encodeProtobuf, encodeWatchEvent, protobufType } from '../protobuf/encode.ts';

/**
 * A client that does not read is cut off, as the real cacher does it: it lists again, or resumes and gets 410 when the
 * changes since then are forgotten. What it is sent at the start (its list) does not count.
 */
const unsentLimitBytes = 4 * 1024 * 1024;
/** How long an ended watch may take to be read to its end. */
const flushLimitMs = 5000;

interface WatchStream {
  /** Does nothing once the watch has ended. */
  send(type: string, object: JsonObject): void;
  /** All that a watch starts with has been sent. */
  begun(): void;
  /** Sends what is unsent and closes, at once where nobody reads. */
  end(): void;
  /** Runs once, when the watch ends for whatever reason. */
  onEnd(action: () => void): void;
}

export function openWatchStream(res: ServerResponse, form: 'json' | 'protobuf'): WatchStream {
  const type = form === 'protobuf' ? `${protobufType};stream=watch` : 'application/json';
  res.writeHead(200, { 'content-type': type, 'cache-control': 'no-cache, private' });
  // client-go waits for the head before it can give up a watch.
  res.flushHeaders();

  const actions: (() => void)[] = [];
  let ended = false;
  let allowanceBytes = Number.POSITIVE_INFINITY;
  const finish = () => {
    if (ended) return;
    ended = true;
    for (const action of actions.splice(0)) action();
  };
  // A client that went while something was being written: its end is all there is to know.
  res.on('error', finish);
  res.once('close', finish);
  return {
    send(eventType, object) {
      if (ended) return;
      const frame = form === 'protobuf' ? protobufFrame(eventType, object) : jsonFrame(eventType, object);
      if (!frame) return;
      res.write(frame);
      if (res.writableLength <= allowanceBytes) return;
      finish();
      res.destroy();
    },
    begun() {
      allowanceBytes = res.writableLength + unsentLimitBytes;
    },
    end() {
      if (ended) return;
      finish();
      res.end();
      const timer = setTimeout(() => res.destroy(), flushLimitMs);
      timer.unref();
      res.once('close', () => clearTimeout(timer));
    },
    onEnd(action) {
      if (ended) action();
      else actions.push(action);
    },
  };
}

// Many watchers are sent the same object: it is written out once.
const written = new WeakMap<object, { json?: Buffer; protobuf?: Buffer | undefined }>();

function jsonFrame(type: string, object: JsonObject): Buffer {
  const known = written.get(object) ?? {};
  known.json ??= Buffer.from(JSON.stringify(object));
  if (Object.isFrozen(object)) written.set(object, known);
  return Buffer.concat([
    Buffer.from(`{"type":${JSON.stringify(type)},"object":`),
    known.json,
    Buffer.from('}\n'),
  ]);
}

function protobufFrame(type: string, object: JsonObject): Buffer | undefined {
  const known = written.get(object) ?? {};
  known.protobuf ??= encodeProtobuf(object);
  if (Object.isFrozen(object)) written.set(object, known);
  return known.protobuf && encodeWatchEvent(type, known.protobuf);
}
