// The API server is not open to everybody: tokens, names, pages, content types; and watchers that do not read.
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect } from 'node:net';
import * as assert from 'uvu/assert';
import { WebSocket } from 'ws';
import { createApiServer } from '../../emulator/api/server.ts';
import { type ApiCluster, startApi, testHooks, until } from '../api-cluster.ts';
import { knock } from '../embedded-pods.ts';
import { suite } from '../suite.ts';

const test = suite('api access', { timeoutMs: 60_000 });

function ask(url: string, headers: Record<string, string>, method = 'GET', body?: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response: IncomingMessage) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.on('error', reject);
    request.end(body);
  });
}

test('who gets in', async () => {
  await using cluster = await startApi();
  const { authorization } = cluster;
  const pods = `${cluster.url}/api/v1/namespaces/default/pods`;
  const rows: [what: string, headers: Record<string, string>, expected: number][] = [
    ['without a token', {}, 401],
    ['with a wrong token', { authorization: 'Bearer nope' }, 401],
    ['with a token that looks like a service account’s', { authorization: 'Bearer a.b.c' }, 401],
    ['with the token', { authorization }, 200],
    ['of a page elsewhere', { authorization, origin: 'https://evil.example' }, 403],
    ['of a page of this machine', { authorization, origin: 'http://localhost' }, 200],
    ['by a name that is not its own', { authorization, host: 'evil.example:80' }, 403],
    ['by its name inside of the cluster', { authorization, host: 'kubernetes.default.svc' }, 200],
  ];
  for (const [what, headers, expected] of rows) assert.is(await ask(pods, headers), expected, what);
  assert.is(await ask(`${cluster.url}/healthz`, {}), 200, 'health is for everybody');
  assert.is(await ask(`${cluster.url}/version`, {}), 401, 'the rest is not');
});

test('it listens to this machine alone', async () => {
  await using cluster = await startApi();
  const { hostname, port } = new URL(cluster.url);
  assert.is(hostname, '127.0.0.1');
  // What listens on all addresses answers on this one, too.
  assert.is.not(await knock('127.0.0.2', Number(port)), 'connected');
  for (const host of ['0.0.0.0', '::', '192.168.0.1']) {
    const listening = createApiServer({ registry: cluster.registry, ...testHooks(cluster.registry) }).listen(
      0,
      host,
    );
    await listening.then(
      () => assert.unreachable(host),
      (error) => assert.match(String(error), /the emulated API server is for this machine/),
    );
  }
});

test('exec without a token, or from a page elsewhere, is refused', async () => {
  await using cluster = await startApi();
  const url = `${cluster.url.replace('http', 'ws')}/api/v1/namespaces/default/pods/p/exec?command=id`;
  for (const [headers, expected] of [
    [{}, 401],
    [{ authorization: cluster.authorization, origin: 'https://evil.example' }, 403],
  ] as const) {
    const code = await new Promise<number>((resolve) => {
      const socket = new WebSocket(url, ['v5.channel.k8s.io'], { headers });
      socket.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0));
      socket.on('error', () => undefined);
      socket.on('open', () => resolve(101));
    });
    assert.is(code, expected);
  }
});

test('a body without a content type is refused', async () => {
  await using cluster = await startApi();
  const { authorization } = cluster;
  const body = JSON.stringify({ metadata: { name: 'a' } });
  const url = `${cluster.url}/api/v1/namespaces/default/configmaps`;
  assert.is(await ask(url, { authorization }, 'POST', body), 415);
  assert.is(await ask(url, { authorization, 'content-type': 'text/plain' }, 'POST', body), 415);
  assert.is(await ask(url, { authorization, 'content-type': 'application/json' }, 'POST', body), 201);
});

test('a service account gets in with a token that it was given, until it is deleted', async () => {
  await using cluster = await startApi();
  const { registry, url, authorization } = cluster;
  registry.create('serviceaccounts', { metadata: { name: 'bot', namespace: 'default' } });
  const answer = await fetch(`${url}/api/v1/namespaces/default/serviceaccounts/bot/token`, {
    method: 'POST',
    headers: { authorization, 'content-type': 'application/json' },
    body: JSON.stringify({ spec: { expirationSeconds: 600 } }),
  });
  assert.is(answer.status, 201);
  const { status } = (await answer.json()) as { status: { token: string } };
  const bearer = { authorization: `Bearer ${status.token}`, 'content-type': 'application/json' };
  const who = await fetch(`${url}/apis/authentication.k8s.io/v1/selfsubjectreviews`, {
    method: 'POST',
    headers: bearer,
    body: '{}',
  });
  const review = (await who.json()) as { status: { userInfo: { username: string } } };
  assert.is(review.status.userInfo.username, 'system:serviceaccount:default:bot');
  registry.delete('serviceaccounts', 'default', 'bot');
  assert.is(await ask(`${url}/api/v1/pods`, bearer), 401);
});

test('https on the same port, with the authority of the kubeconfig', async () => {
  await using cluster = await startApi();
  const { clusters } = JSON.parse(cluster.kubeconfig) as {
    clusters: { cluster: { server: string; 'certificate-authority-data': string } }[];
  };
  const { server, 'certificate-authority-data': data } = clusters[0]!.cluster;
  const ca = Buffer.from(data, 'base64');
  const code = await new Promise<number>((resolve, reject) => {
    const request = httpsRequest(
      `${server}/api/v1/pods`,
      { ca, headers: { authorization: cluster.authorization } },
      (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      },
    );
    request.on('error', reject);
    request.end();
  });
  assert.is(code, 200);
});

test('a watcher that does not read is cut off, and one that goes while it is written to harms nobody', async () => {
  await using cluster = await startApi();
  const silent = await openWatch(cluster);
  const before = process.memoryUsage().rss;
  const filler = 'x'.repeat(100_000);
  let gone = false;
  silent.on('close', () => {
    gone = true;
  });
  for (let round = 0; round < 400 && !gone; round++) {
    cluster.registry.mutate('configmaps', 'default', 'big', (draft) => {
      draft.data = { filler, round: String(round) };
    });
    await new Promise((resolve) => setImmediate(resolve));
  }
  silent.resume();
  await until('the end of the watch', () => gone);
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  assert.ok(grown < 200, `${grown.toFixed(0)} MiB more`);
  const short = await openWatch(cluster, '&timeoutSeconds=1');
  await new Promise((resolve) => setTimeout(resolve, 1100));
  // The watch has ended, its client has not read the end: further changes go nowhere.
  cluster.registry.mutate('configmaps', 'default', 'big', (draft) => {
    draft.data = { after: 'the end' };
  });
  short.destroy();
  assert.is(await ask(`${cluster.url}/healthz`, {}), 200);
});

async function openWatch(cluster: ApiCluster, more = '') {
  if (!cluster.registry.get('configmaps', 'default', 'big')) {
    cluster.registry.create('configmaps', { metadata: { name: 'big', namespace: 'default' } });
  }
  const { hostname, port } = new URL(cluster.url);
  const socket = connect(Number(port), hostname);
  socket.pause();
  socket.on('error', () => undefined);
  socket.write(
    `GET /api/v1/namespaces/default/configmaps?watch=true${more} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: ${cluster.authorization}\r\n\r\n`,
  );
  await new Promise((resolve) => setTimeout(resolve, 200));
  return socket;
}

test.run();
