import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { belongingsIn } from '../../harness/deploy/belongings.ts';
import { removeNamespaces } from '../../harness/deploy/remove.ts';
import { ApiError, AWAY_AFTER_MS, NoAnswerError } from '../../harness/kube/api-error.ts';
import { connectKube, type Kube } from '../../harness/kube/client.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { suite } from '../suite.ts';

const test = suite('the Kubernetes client');

interface Asked {
  readonly method: string;
  readonly path: string;
  readonly token: string | undefined;
  readonly body: string;
}

interface World {
  readonly folder: string;
  /** Every request that came. */
  readonly asked: Asked[];
  /** The tokens that the server takes; empty: any. */
  readonly valid: Set<string>;
  /** Instead of an answer `{}`. */
  handle: (request: http.IncomingMessage, response: http.ServerResponse) => boolean;
  kubeconfig(user: unknown): string;
}

/** An API server of a few lines that takes the tokens that are valid just now. */
async function withServer(act: (world: World) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-test-client-'));
  const world: World = {
    folder,
    asked: [],
    valid: new Set(),
    handle: () => false,
    kubeconfig: (user) =>
      JSON.stringify({
        clusters: [
          {
            name: 'c',
            cluster: {
              server: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
              'insecure-skip-tls-verify': true,
            },
          },
        ],
        users: [{ name: 'u', user }],
        contexts: [{ name: 'x', context: { cluster: 'c', user: 'u' } }],
        'current-context': 'x',
      }),
  };
  const server = http.createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const token = request.headers.authorization?.replace('Bearer ', '');
    world.asked.push({
      method: request.method ?? '',
      path: request.url ?? '',
      token,
      body: Buffer.concat(chunks).toString(),
    });
    if (world.valid.size > 0 && !world.valid.has(token ?? '')) {
      response.statusCode = 401;
      response.end(JSON.stringify({ kind: 'Status', reason: 'Unauthorized', message: 'Unauthorized' }));
      return;
    }
    if (world.handle(request, response)) return;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await act(world);
  } finally {
    server.closeAllConnections();
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** A login plugin that gives token-1, token-2 … and counts its runs in a file. `lifeMs` undefined: no end is told. */
function plugin({ folder }: World, lifeMs?: number, script = '') {
  const command = join(folder, 'login.mjs');
  const counter = join(folder, 'runs');
  writeFileSync(counter, '0');
  writeFileSync(
    command,
    `#!${process.execPath}
import { readFileSync, writeFileSync } from 'node:fs';
const run = Number(readFileSync(${JSON.stringify(counter)}, 'utf8')) + 1;
writeFileSync(${JSON.stringify(counter)}, String(run));
${script}
const info = JSON.parse(process.env.KUBERNETES_EXEC_INFO);
const expirationTimestamp = ${lifeMs === undefined ? 'undefined' : `new Date(Date.now() + ${lifeMs}).toISOString()`};
console.log(JSON.stringify({ apiVersion: info.apiVersion, kind: info.kind, status: { token: process.env.PREFIX + run, expirationTimestamp } }));
`,
  );
  chmodSync(command, 0o755);
  const exec = {
    apiVersion: 'client.authentication.k8s.io/v1',
    command,
    args: [],
    env: [{ name: 'PREFIX', value: 'token-' }],
    interactiveMode: 'Never',
  };
  return { user: { exec }, runs: () => Number(readFileSync(counter, 'utf8')) };
}

const tokens = ({ asked }: World) => asked.map(({ token }) => token);

async function failure(promise: Promise<unknown>): Promise<Error> {
  try {
    await promise;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

async function withKube(kubeconfig: string, act: (kube: Kube) => Promise<void>): Promise<void> {
  const kube = await connectKube(kubeconfig);
  try {
    await act(kube);
  } finally {
    kube.close();
  }
}

test("a login plugin's token is renewed before it expires, for requests and watches", () =>
  withServer(async (world) => {
    const { user, runs } = plugin(world, 1000);
    await withKube(world.kubeconfig(user), async (kube) => {
      await kube.raw('GET', '/one');
      await kube.raw('GET', '/two');
      assert.is(runs(), 1);
      await sleep(1100);
      await kube.watch('/three', { signal: AbortSignal.timeout(5000) }, () => {});
      await kube.json('GET', '/four');
    });
    assert.equal(tokens(world), ['token-1', 'token-1', 'token-2', 'token-2']);
  }));

test('a token without a told end is kept until the server refuses it; who is refused asks once more', () =>
  withServer(async (world) => {
    const { user, runs } = plugin(world);
    await withKube(world.kubeconfig(user), async (kube) => {
      world.valid.add('token-1');
      await kube.json('GET', '/one');
      world.valid.clear();
      world.valid.add('token-2');
      const answers = await Promise.all([
        kube.json('GET', '/a'),
        kube.json('POST', '/b', { body: { b: 1 } }),
        kube.watch('/c', { signal: AbortSignal.timeout(5000) }, () => {}),
      ]);
      assert.is(answers.length, 3);
      assert.is(runs(), 2, 'once for all three');
    });
    const body = world.asked.find(({ method, token }) => method === 'POST' && token === 'token-2')?.body;
    assert.is(body, '{"b":1}', 'the second request is whole');
  }));

test('a token that stays refused is refused after two tries', () =>
  withServer(async (world) => {
    world.valid.add('none');
    const { user } = plugin(world);
    await withKube(world.kubeconfig(user), async (kube) => {
      const error = await failure(kube.json('GET', '/one'));
      assert.instance(error, ApiError);
      assert.is((error as ApiError).status, 401);
    });
    assert.equal(tokens(world), ['token-1', 'token-2']);
  }));

test('a token in a file is read again when it is refused, however the kubeconfig names the file', () =>
  withServer(async (world) => {
    const tokenFile = join(world.folder, 'token');
    const users = [{ tokenFile }, { 'auth-provider': { name: 'tokenFile', config: { tokenFile } } }];
    for (const user of users) {
      world.asked.length = 0;
      world.valid.clear();
      world.valid.add('first');
      writeFileSync(tokenFile, 'first\n');
      await withKube(world.kubeconfig(user), async (kube) => {
        await kube.json('GET', '/one');
        writeFileSync(tokenFile, 'second\n');
        world.valid.clear();
        world.valid.add('second');
        await kube.json('GET', '/two');
      });
      assert.equal(tokens(world), ['first', 'first', 'second']);
    }
  }));

test('a password and a fixed token go as they are', () =>
  withServer(async (world) => {
    await withKube(world.kubeconfig({ username: 'me', password: 'secret' }), async (kube) => {
      await kube.json('GET', '/one');
    });
    await withKube(world.kubeconfig({ token: 'fixed' }), async (kube) => {
      await kube.json('GET', '/two');
    });
    assert.equal(tokens(world), [`Basic ${Buffer.from('me:secret').toString('base64')}`, 'fixed']);
  }));

test('a login plugin that fails or is not there: one sentence with its command, never what it printed', () =>
  withServer(async (world) => {
    const failing = plugin(
      world,
      undefined,
      'console.log("the-secret"); console.error("session expired"); process.exit(3);',
    );
    const error = await failure(connectKube(world.kubeconfig(failing.user)));
    assert.instance(error, FaultError);
    assert.match(
      error.message,
      /login plugin ".*login\.mjs" ended with 3 \(session expired\)\. Log in again/,
    );
    assert.not.match(error.message, /the-secret/);
    const silent = plugin(world, undefined, 'console.log("the-secret"); process.exit(3);');
    assert.not.match((await failure(connectKube(world.kubeconfig(silent.user)))).message, /the-secret/);
    const missing = { exec: { command: 'no-such-login', installHint: 'Install it from the cloud.' } };
    assert.match(
      (await failure(connectKube(world.kubeconfig(missing)))).message,
      /"no-such-login" was not found on the PATH\..*\nInstall it from the cloud\./,
    );
  }));

test('every request has a limit, and ends with its own signal and with the one it is made during', () =>
  withServer(async (world) => {
    world.handle = () => true;
    await withKube(world.kubeconfig({}), async (kube) => {
      const late = await failure(kube.raw('GET', '/slow', { timeoutMs: 50 }));
      assert.is(late.message, 'API server: GET /slow: no answer within 50 ms.');
      const ways: ((signal: AbortSignal) => Promise<unknown>)[] = [
        (signal) => kube.raw('GET', '/slow', { signal }),
        (signal) => kube.during(signal).raw('GET', '/slow'),
        (signal) =>
          kube.during(signal).json('POST', '/slow', { body: {}, signal: AbortSignal.timeout(60_000) }),
        (signal) => kube.during(untilTheEnd).during(signal).objects.create({ apiVersion: 'v1', kind: 'Pod' }),
        (signal) => kube.watch('/slow', { signal }, () => {}),
      ];
      for (const way of ways) {
        const controller = new AbortController();
        const reason = new InterruptedError();
        setTimeout(() => controller.abort(reason), 20);
        assert.is(await failure(way(controller.signal)), reason);
        assert.is(await failure(way(AbortSignal.abort(reason))), reason, 'aborted before');
      }
    });
  }));
const untilTheEnd = new AbortController().signal;

test('how long nobody has answered is known, over all requests; an answer begins it anew', () =>
  withServer(async (world) => {
    let away = true;
    world.handle = (_, response) => {
      if (away) response.destroy();
      return away;
    };
    await withKube(world.kubeconfig({}), async (kube) => {
      const silentMs = async (path: string) => {
        const error = await failure(kube.raw('GET', path));
        assert.instance(error, NoAnswerError);
        return (error as NoAnswerError).silentMs;
      };
      await silentMs('/one');
      await sleep(200);
      assert.ok((await silentMs('/other')) >= 200);
      away = false;
      await kube.raw('GET', '/one');
      away = true;
      assert.ok((await silentMs('/one')) < 200);
    });
  }));

test('an API server that comes back forbids at first what it allowed before: that is no answer yet', () =>
  withServer(async (world) => {
    const forbidden = { kind: 'Status', reason: 'Forbidden', message: 'pods is forbidden' };
    let away = false;
    world.handle = (_, response) => {
      if (away) response.destroy();
      else response.writeHead(403).end(JSON.stringify(forbidden));
      return true;
    };
    await withKube(world.kubeconfig({}), async (kube) => {
      const watched = () => kube.watch('/two', { signal: untilTheEnd }, () => {});
      assert.is((await kube.raw('GET', '/one')).status, 403, 'a refusal is an answer');
      assert.instance(await failure(watched()), ApiError);
      away = true;
      await failure(kube.raw('GET', '/one'));
      away = false;
      for (const refused of [kube.raw('GET', '/one'), watched()]) {
        const error = await failure(refused);
        assert.instance(error, NoAnswerError);
        assert.match(
          error.message,
          /^API server: \w+ \/\w+: refused just after it came back: pods is forbidden\.$/,
        );
      }
    });
  }));

test(
  'an API server that is away ends a removal soon, what is left is named, and Node warns of nothing',
  () =>
    withServer(async (world) => {
      const warnings: string[] = [];
      process.on('warning', ({ name }) => warnings.push(name));
      world.handle = (_, response) => {
        response.destroy();
        return true;
      };
      await withKube(world.kubeconfig({}), async (kube) => {
        const from = performance.now();
        const limitMs = 90_000;
        const place = { namespace: 'shop', runId: 'r', experiment: 'e' };
        const [namespace, belongings] = await Promise.all([
          failure(removeNamespaces(kube, ['rollproof-r-e'], 'r', limitMs)),
          failure(belongingsIn(place).remove(kube, limitMs)),
        ]);
        const tookMs = performance.now() - from;
        const silence = /the API server has not answered for 2\d s \(socket hang up\)/;
        assert.match(namespace.message, /^Waited for namespace rollproof-r-e to be gone: /);
        assert.match(namespace.message, /kubectl delete namespace rollproof-r-e/);
        assert.match(belongings.message, /^Waited for what this run made in namespace shop to be gone: /);
        for (const { message } of [namespace, belongings]) assert.match(message, silence);
        assert.ok(tookMs > AWAY_AFTER_MS && tookMs < AWAY_AFTER_MS + 8000, `${tookMs} ms`);
        assert.equal(warnings, []);
      });
    }),
  { timeoutMs: 60_000 },
);

test('an answer that never ends is cut off by the limit', () =>
  withServer(async (world) => {
    world.handle = (_request, response) => {
      const timer = setInterval(() => response.write('more '), 10);
      response.on('close', () => clearInterval(timer));
      return true;
    };
    await withKube(world.kubeconfig({}), async (kube) => {
      const error = await failure(kube.raw('GET', '/endless', { timeoutMs: 100 }));
      assert.is(error.message, 'API server: GET /endless: no answer within 100 ms.');
    });
  }));

test('a watch: lines as they come; a clean end resolves, a refusal and a broken connection reject', () =>
  withServer(async (world) => {
    const lines: string[] = [];
    world.handle = (request, response) => {
      response.write('{"type":"ADDED","object":{"n":1}}\n{"type":"MOD');
      if (request.url?.startsWith('/cut')) setTimeout(() => response.destroy(), 20);
      else if (request.url?.startsWith('/gone')) {
        response.destroy();
      } else setTimeout(() => response.end('IFIED","object":{"n":2}}\n'), 20);
      return true;
    };
    const read = ({ type, object }: { type: string; object: { n: number } }) =>
      void lines.push(`${type} ${object.n}`);
    await withKube(world.kubeconfig({}), async (kube) => {
      const signal = AbortSignal.timeout(5000);
      await kube.watch('/whole', { signal, query: { resourceVersion: 7 } }, read);
      assert.is(world.asked.at(-1)?.path, '/whole?resourceVersion=7&watch=true');
      assert.equal(lines, ['ADDED 1', 'MODIFIED 2']);
      assert.instance(await failure(kube.watch('/cut', { signal }, read)), FaultError);
      world.handle = (_request, response) => {
        response.statusCode = 410;
        response.end('{"reason":"Expired","message":"too old resource version"}');
        return true;
      };
      const refused = await failure(kube.watch('/old', { signal }, read));
      assert.is((refused as ApiError).status, 410);
      assert.is(refused.message, 'too old resource version');
    });
  }));

test('objects of any kind go where the server says that it has them', () =>
  withServer(async (world) => {
    world.handle = (request, response) => {
      const resources = [
        { name: 'rollouts', kind: 'Rollout', namespaced: true },
        { name: 'rollouts/scale', kind: 'Scale', namespaced: true },
        { name: 'policies', kind: 'Policy', namespaced: false },
      ];
      if (request.url !== '/apis/x.io/v1') return false;
      response.end(JSON.stringify({ resources }));
      return true;
    };
    const rollout = { apiVersion: 'x.io/v1', kind: 'Rollout', metadata: { name: 'web', namespace: 'n' } };
    await withKube(world.kubeconfig({}), async (kube) => {
      await kube.objects.create(rollout);
      await kube.objects.read({ apiVersion: 'x.io/v1', kind: 'Policy', metadata: { name: 'p' } });
      await kube.objects.delete(rollout);
      const error = await failure(kube.objects.create({ apiVersion: 'x.io/v1', kind: 'Other' }));
      assert.is((error as ApiError).status, 404);
      assert.is(error.message, 'the server has no kind Other in x.io/v1');
    });
    assert.equal(
      world.asked.map(({ method, path }) => `${method} ${path}`),
      [
        'GET /apis/x.io/v1',
        'POST /apis/x.io/v1/namespaces/n/rollouts',
        'GET /apis/x.io/v1/policies/p',
        'DELETE /apis/x.io/v1/namespaces/n/rollouts/web',
      ],
    );
  }));

test.run();
