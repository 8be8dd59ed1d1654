// GET …?watch=true: changes as they happen, one JSON document per line.
// Source: apiserver/pkg/endpoints/handlers/watch.go, storage/cacher (initial events, bookmarks, selector transitions).
import { expired, failure } from '../errors.ts';
import type { KubeObject } from '../objects.ts';
import { messageNameOf } from '../protobuf/messages.ts';
import { groupVersion, type ResourceDefinition } from '../resources.ts';
import type { StoredChange } from '../storage.ts';
import { partialMetadata, toTable } from '../tables/table.ts';
import { StatusError } from '../types.ts';
import { asServed, type Exchange } from './context.ts';
import { includeObject, selection, tooLarge } from './list.ts';
import { wantedForm } from './negotiation.ts';
import { invalidOption, isTrue, numberFrom } from './request.ts';
import { openWatchStream } from './watch-stream.ts';

/** Bookmarks let a quiet watch resume although much else was written. */
const bookmarkEveryMs = 15_000;
/** kube-apiserver --min-request-timeout: a watch ends after 30 to 60 minutes. */
const watchTimeoutMs = 1_800_000;

type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

export function watchResource(exchange: Exchange, stored: ResourceDefinition): void {
  const { req, res, served, namespace, query, context } = exchange;
  const { storage, now } = context.registry;
  const selects = selection(stored, namespace, query);
  const { representation, media } = wantedForm(req);
  const included = includeObject(query);
  const bookmarks = isTrue(query, 'allowWatchBookmarks');
  const start = startVersion(query, bookmarks, storage.version);
  let columnsSent = false;

  if (start.version > storage.version) throw tooLarge(start.version, storage.version);
  const asProtobuf = media === 'protobuf' && messageNameOf(groupVersion(served), served.kind) !== undefined;
  const stream = openWatchStream(res, asProtobuf ? 'protobuf' : 'json');

  const tableOf = (objects: KubeObject[], resourceVersion: string) => {
    const table = toTable(
      stored.resource,
      objects,
      { resourceVersion },
      {
        nowMs: now(),
        includeObject: included,
        withColumns: !columnsSent,
      },
    );
    columnsSent = true;
    return table;
  };
  const { send } = stream;
  const sendObject = (type: EventType, object: KubeObject) => {
    if (representation === 'table') send(type, tableOf([object], object.metadata.resourceVersion));
    else if (representation === 'metadata') send(type, partialMetadata(object));
    else send(type, asServed(served, object));
  };
  const sendBookmark = (annotations?: Record<string, string>) => {
    const resourceVersion = String(storage.version);
    if (representation === 'table') return send('BOOKMARK', tableOf([], resourceVersion));
    const kind =
      representation === 'metadata'
        ? { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1' }
        : { kind: served.kind, apiVersion: groupVersion(served) };
    send('BOOKMARK', {
      ...kind,
      metadata: { resourceVersion, creationTimestamp: null, ...(annotations ? { annotations } : {}) },
    });
  };
  const sendChange = (change: StoredChange) => {
    if (change.definition !== stored) return;
    const before = change.previous !== undefined && selects(change.previous);
    const after = change.type !== 'DELETED' && selects(change.object);
    if (after) sendObject(before ? 'MODIFIED' : 'ADDED', change.object);
    else if (before) sendObject('DELETED', leaving(change));
  };

  if (start.withInitial) {
    for (const object of storage.list(stored, namespace)) if (selects(object)) sendObject('ADDED', object);
    if (start.announceEnd) sendBookmark({ 'k8s.io/initial-events-end': 'true' });
  } else if (start.version < storage.oldestVersion) {
    send('ERROR', { ...failure(expired(start.version, storage.oldestVersion)) });
    stream.end();
    return;
  } else {
    for (const change of storage.changesAfter(start.version)) sendChange(change);
  }

  stream.begun();
  stream.onEnd(storage.subscribe(sendChange));
  const bookmarkTimer = bookmarks ? setInterval(() => sendBookmark(), bookmarkEveryMs) : undefined;
  const timeoutSeconds = numberFrom(query, 'timeoutSeconds') ?? 0;
  const limitMs = timeoutSeconds > 0 ? timeoutSeconds * 1000 : watchTimeoutMs * (1 + Math.random());
  const endTimer = setTimeout(() => {
    if (bookmarks) sendBookmark();
    stream.end();
  }, limitMs);
  stream.onEnd(() => {
    clearInterval(bookmarkTimer);
    clearTimeout(endTimer);
  });
}

interface Start {
  version: number;
  /** First all present objects as ADDED. */
  withInitial: boolean;
  /** Then a bookmark that says so. */
  announceEnd: boolean;
}

function startVersion(query: URLSearchParams, bookmarks: boolean, current: number): Start {
  const text = query.get('resourceVersion') ?? '';
  const version = text === '' ? 0 : Number(text);
  if (!Number.isSafeInteger(version) || version < 0) {
    throw new StatusError(
      500,
      '',
      `resourceVersion: Invalid value: "${text}": strconv.ParseUint: parsing "${text}": invalid syntax`,
    );
  }
  if (!query.has('sendInitialEvents')) return { version, withInitial: version === 0, announceEnd: false };
  const initial = isTrue(query, 'sendInitialEvents');
  if (query.get('resourceVersionMatch') !== 'NotOlderThan') {
    throw invalidOption(
      'ListOptions',
      'resourceVersionMatch',
      'Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan',
      'FieldValueForbidden',
    );
  }
  return { version: version || current, withInitial: initial, announceEnd: initial && bookmarks };
}

/** Gone from this view: as it last was in it, with the version of the change. */
function leaving(change: StoredChange): KubeObject {
  if (change.type === 'DELETED') return change.object;
  const last = change.previous!;
  return { ...last, metadata: { ...last.metadata, resourceVersion: String(change.version) } };
}
