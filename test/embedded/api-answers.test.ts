// The API server's answers against those of a real one: 540 requests, each answer equal or its difference known.
import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { equalObjects } from '../../emulator/api/objects.ts';
import { type ApiCluster, startApi } from '../api-cluster.ts';
import { normalize, type Recorded } from '../kubernetes-answers.ts';
import { suite } from '../suite.ts';

const test = suite('api answers', { timeoutMs: 120_000 });

const recorded = readFileSync(new URL('../data/kubernetes-answers/v1.34.4.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as Recorded);

/** Where the emulation differs on purpose or in wording, and why. */
const goDump = 'the message shows the object as Go prints it, or all of it with its managers';
const known: Record<string, string> = {
  'tmpl ctr securityContext': goDump,
  'S patch kind': goDump,
  'S patch unknown strict': goDump,
  'S patch type error merge': goDump,
  'S patch type error json': goDump,
  'S scale str': goDump,
  'S pod immutable': goDump,
  'S pod nodeName': goDump,
  'S pod grace': goDump,
  'S job template': goDump,
  array: 'the words of the Go decoder',
  'not json': 'the words of the Go decoder',
  'continue bad': 'the words of the Go decoder',
  'accept foo': 'fewer representations',
  'S patch uid': 'the same cause is listed twice there',
  'S cm add finalizer': 'the same cause is listed twice there',
  'S patch ssa conflict': 'the order of causes is random there',
  'svc ExternalName ok': 'refused by name: no network',
  'svc out of range ip': 'refused by name: addresses are chosen here',
  'hpav2 pods metric': 'refused by name: no custom metrics',
  'hpav2 metric type': 'the same cause is listed twice there',
  'S hpa v1': 'autoscaling/v1 carries no annotations for the other metrics',
  'X hpa v1 patch': 'autoscaling/v1 carries no annotations for the other metrics',
  'X lease put create': 'a time with fewer than six digits is taken',
  'S status bad': 'a status is not validated',
  'X ns status': 'a status is not validated',
  'X node': 'nodes get no taint before they are ready',
  'X node unschedulable': 'nodes get no taint before they are ready',
  'X node schedulable': 'no pod CIDRs',
  'X node taints': 'no pod CIDRs',
  'X node conditions': 'no pod CIDRs',
};

async function ask(cluster: ApiCluster, { method, path, contentType, accept, body }: Recorded) {
  const response = await fetch(`${cluster.url}${path}`, {
    method,
    headers: {
      authorization: cluster.authorization,
      accept: accept ?? 'application/json',
      'user-agent': 'difft/1',
      ...(body === undefined ? {} : { 'content-type': contentType ?? 'application/json' }),
    },
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return normalize({
    code: response.status,
    warning: response.headers.get('warning') ?? undefined,
    body: text.startsWith('{') ? JSON.parse(text) : text,
  });
}

test('equal to the recorded ones', async () => {
  await using cluster = await startApi();
  cluster.registry.create('namespaces', { metadata: { name: 'difft' } });
  const different: string[] = [];
  const equal: string[] = [];
  for (const request of recorded) {
    const answer = await ask(cluster, request);
    if (equalObjects(answer, normalize(request.answer))) equal.push(request.name);
    else different.push(request.name);
  }
  assert.equal(
    different.filter((name) => !known[name]),
    [],
    'answers that differ',
  );
  assert.equal(
    Object.keys(known).filter((name) => equal.includes(name)),
    [],
    'differences that are none any more',
  );
  assert.equal(
    Object.keys(known).filter((name) => !recorded.some((each) => each.name === name)),
    [],
    'names of no request',
  );
  assert.is(equal.length + different.length, 540);
});

test.run();
