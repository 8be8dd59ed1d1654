import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { connectKube } from '../../harness/kube/client.ts';
import { startWatch } from '../../harness/record/watch.ts';
import { suite } from '../suite.ts';

const test = suite('watch');

interface Item {
  metadata: { name: string; resourceVersion: string };
}
const item = (name: string, resourceVersion: number): Item => ({
  metadata: { name, resourceVersion: String(resourceVersion) },
});

/** An API server of a few lines: a list, and watch connections that the test feeds and ends. */
async function withServer(
  act: (server: {
    list: { resourceVersion: number; items: Item[] };
    watches: { from: string; send: (type: string, object: unknown) => void; end: () => void }[];
    kubeconfig: string;
  }) => Promise<void>,
): Promise<void> {
  const state = {
    list: { resourceVersion: 10, items: [] as Item[] },
    watches: [] as Parameters<typeof act>[0]['watches'],
    kubeconfig: '',
  };
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://x');
    if (!url.searchParams.has('watch')) {
      response.setHeader('content-type', 'application/json');
      response.end(
        JSON.stringify({
          metadata: { resourceVersion: String(state.list.resourceVersion) },
          items: state.list.items,
        }),
      );
      return;
    }
    response.flushHeaders();
    state.watches.push({
      from: url.searchParams.get('resourceVersion') ?? '',
      send: (type, object) => void response.write(`${JSON.stringify({ type, object })}\n`),
      end: () => void response.end(),
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  state.kubeconfig = JSON.stringify({
    clusters: [
      { name: 'c', cluster: { server: `http://127.0.0.1:${port}`, 'insecure-skip-tls-verify': true } },
    ],
    users: [{ name: 'u', user: {} }],
    contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
    'current-context': 'x',
  });
  try {
    await act(state);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}

async function until(met: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200; i++) {
    if (met()) return;
    await sleep(20);
  }
  throw new Error(`waited 4 s for ${what}`);
}

async function recording(kubeconfig: string) {
  const kube = await connectKube(kubeconfig);
  const events: string[] = [];
  const gaps: { lost: boolean; reason: string }[] = [];
  const watch = await startWatch(kube, '/api/v1/namespaces/n/pods', {
    event: (type, object) =>
      void events.push(`${type} ${object.metadata.name}@${object.metadata.resourceVersion}`),
    gap: (lost, reason) => void gaps.push({ lost, reason }),
  });
  const stop = () => {
    watch.stop();
    kube.close();
  };
  return { events, gaps, watch, stop };
}

test('what exists comes first, then events; a connection that ends goes on from the last version', () =>
  withServer(async (server) => {
    server.list.items = [item('a', 9)];
    const { events, gaps, stop } = await recording(server.kubeconfig);
    await until(() => server.watches.length === 1, 'the watch');
    server.watches[0]?.send('ADDED', item('b', 11));
    server.watches[0]?.send('BOOKMARK', item('', 15));
    await until(() => events.length === 2, 'b');
    server.watches[0]?.end();
    await until(() => server.watches.length === 2, 'the second watch');
    assert.is(server.watches[1]?.from, '15');
    server.watches[1]?.send('DELETED', item('a', 16));
    await until(() => events.length === 3, 'the deletion');
    assert.equal(events, ['EXISTING a@9', 'ADDED b@11', 'DELETED a@16']);
    assert.equal(gaps, []);
    stop();
  }));

test('an expired version: the list is read anew, differences are delivered, and the loss is said', () =>
  withServer(async (server) => {
    server.list.items = [item('a', 9), item('b', 9)];
    const { events, gaps, stop } = await recording(server.kubeconfig);
    await until(() => server.watches.length === 1, 'the watch');
    server.list = { resourceVersion: 50, items: [item('b', 40), item('c', 45)] };
    server.watches[0]?.send('ERROR', { code: 410, reason: 'Expired', metadata: {} });
    server.watches[0]?.end();
    await until(() => gaps.length === 1, 'the gap');
    assert.equal(events.slice(2), ['DELETED a@9', 'MODIFIED b@40', 'ADDED c@45']);
    assert.is(gaps[0]?.lost, true);
    await until(() => server.watches.length === 2, 'the second watch');
    assert.is(server.watches[1]?.from, '50');
    stop();
  }));

test('verify names what the stream has not delivered', () =>
  withServer(async (server) => {
    server.list.items = [item('a', 9)];
    const { watch, stop } = await recording(server.kubeconfig);
    await until(() => server.watches.length === 1, 'the watch');
    assert.equal(await watch.verify(100), []);
    server.list.items = [item('a', 12), item('z', 13)];
    assert.equal(await watch.verify(150), ['a', 'z']);
    server.watches[0]?.send('MODIFIED', item('a', 12));
    server.watches[0]?.send('ADDED', item('z', 13));
    assert.equal(await watch.verify(2000), []);
    stop();
  }));

test.run();
