// The kernel as witness on a cluster of somebody's, with an app that does not speak and both classic gaps at once: whom each
// connection was sent to is compared with what the node of the pods tracked, which knows no Service, only pods.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { kindProvider } from '../../harness/cluster/kind/provider.ts';
import { factsOf } from '../../harness/journal/facts.ts';
import { readJournalFile } from '../../harness/journal/file.ts';
import type { Stream } from '../../harness/journal/streams.ts';
import { decideCause } from '../../harness/judge/causes/decide.ts';
import { inferStarts } from '../../harness/judge/causes/infer-starts.ts';
import { buildScene } from '../../harness/judge/causes/scene.ts';
import { isLost } from '../../harness/model/load.ts';
import { clusterByHand } from '../kind-cluster.ts';
import { inTemporaryFolder, readResults, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const skip = await kindProvider().unavailable();
const test = suite('witness on kind', { timeoutMs: 290_000, skip });
const cluster = clusterByHand('witness', skip);
const { kubeconfig } = cluster;
const image = 'node:20-bookworm-slim';
const [agents, pods] = [`${cluster.name}-worker`, `${cluster.name}-worker2`];
/** Takes what tolerates its taint: the pods of the target, where both workers have agents. */
const third = `${cluster.name}-control-plane`;

/** Listens 1.5 s after its start, ends at SIGTERM at once. Nothing says when. */
const app = `
const server = require("http").createServer((_, res) => res.end("ok"));
process.on("SIGTERM", () => process.exit(0));
setTimeout(() => server.listen(8080), 1500);
`;
const manifestsOn = (node: string) => `
apiVersion: v1
kind: Service
metadata: {name: quiet}
spec:
  selector: {app: quiet}
  ports: [{port: 80, targetPort: 8080}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: quiet}
spec:
  replicas: 3
  strategy: {rollingUpdate: {maxSurge: 1, maxUnavailable: 1}}
  selector: {matchLabels: {app: quiet}}
  template:
    metadata: {labels: {app: quiet}}
    spec:
      nodeSelector: {kubernetes.io/hostname: ${node}}
      tolerations: [{operator: Exists}]
      containers:
        - name: app
          image: ${image}
          command: [node, -e, ${JSON.stringify(app)}]
          ports: [{containerPort: 8080}]
`;
const configuration = ({ agent, load }: { readonly agent: string; readonly load: string }) => `
target: {manifests: [k8s.yaml], deployment: quiet, service: quiet}
agent: {witness: true, ${agent}}
load: {rate: 100${load}}
scenarios: [restart]
`;

/** Where entries that lack may have been: before the first, after the last, or in a gap. */
function whenTracked(
  tracked: readonly { readonly atMs: number }[],
  target: readonly Pick<Stream, 'endMs'>[],
): string {
  const times = tracked.map(({ atMs }) => Math.round(atMs)).sort((a, b) => a - b);
  const gaps = times.slice(1).flatMap((at, index) => {
    const before = times[index] as number;
    return at - before > 150 ? [`${before} to ${at}`] : [];
  });
  const ends = target.map(({ endMs }) => Math.round(endMs));
  return `entries from ${times[0]} to ${times.at(-1)} ms, none in ${gaps.join(', ') || 'no gap'}; streams ended at ${ends.join(', ')} ms`;
}

interface SentTo {
  readonly port: number;
  readonly from: string;
  readonly ip: string;
  readonly atMs: number;
  accepted: boolean;
}

test('a cluster made by hand', () =>
  cluster.create({ nodes: ['control-plane', 'worker', 'worker'], images: [image] }));

interface Placed {
  /** Of the target's pods; none of the agents'. */
  readonly podsOn: string;
  readonly agent: string;
  readonly load: string;
  /** Of the agents. */
  readonly nodes: readonly string[];
}

const placed: Readonly<Record<string, Placed>> = {
  'one agent': {
    podsOn: pods,
    agent: `nodeSelector: {kubernetes.io/hostname: ${agents}}`,
    load: '',
    nodes: [agents],
  },
  'two agents on two nodes': {
    podsOn: third,
    agent: 'spread: true',
    load: ', agents: 2',
    nodes: [agents, pods],
  },
};

for (const [name, where] of Object.entries(placed))
  test(`two gaps at once of an app that does not speak, ${name}: pod and cause of each lost attempt, against the other end`, () =>
    againstOtherEnd(where));

const againstOtherEnd = ({ podsOn, agent, load, nodes }: Placed) =>
  inTemporaryFolder(async (given) => {
    const input = join(given, 'in');
    mkdirSync(input);
    writeFileSync(join(input, 'k8s.yaml'), manifestsOn(podsOn));
    writeFileSync(join(input, 'rollproof.yaml'), configuration({ agent, load }));
    const out = join(given, 'out');
    const other = otherEnd(podsOn);
    const where = ['--cluster', 'context', '--kubeconfig', kubeconfig];
    const what = ['--config', join(input, 'rollproof.yaml'), '--variants', 'as-is', '--measure-again', '1'];
    const { stdout, stderr } = await rollproof(['verify', ...where, ...what, '--out', out]).finally(() =>
      other.stop(),
    );
    const results = readResults(out);
    const experiment = results.scenarios[0]?.experiments[0];
    assert.ok(experiment?.valid, `${experiment?.invalid.join()}\n${stdout}\n${stderr}`);
    const journal = await readJournalFile(join(out, experiment.journal));
    const facts = factsOf(journal);
    const target = facts.streams.filter((stream) => !stream.control);

    // Each node says how far it was read, and it was read to the end of the load.
    const endsMs = Math.max(...target.map(({ endMs }) => endMs));
    for (const node of nodes) {
      const last = journal.witness.findLast((one) => one.node === node);
      const readMs = last?.untilT === undefined ? Number.NaN : facts.clocks.fromHarness(last.untilT);
      assert.ok(readMs > endsMs, `${node} read until ${readMs} ms, the load ended at ${endsMs} ms`);
    }
    assert.equal([...new Set(journal.witness.map(({ node }) => node))].sort(), nodes.toSorted());
    // Each agent's connections stand on its own node, whose routing is measured.
    const nodeOf = new Map<string, string>();
    for (const { facts: pod } of journal.watches)
      if (pod.kind === 'Pod' && pod.role === 'agent' && pod.ip && pod.node) nodeOf.set(pod.ip, pod.node);
    assert.equal([...new Set(nodeOf.values())].sort(), nodes.toSorted());
    const astray = facts.witness.connections.filter(({ from, node }) => nodeOf.get(from) !== node);
    assert.is(astray.length, 0, JSON.stringify(astray.slice(0, 3)));
    assert.equal(experiment.routing?.map(({ node }) => node).sort(), nodes.toSorted());

    // Every connection that was opened has an entry, and none has two.
    const opened = target.flatMap(({ ends }) => ends).reduce((sum, end) => sum + end.connectionsOpened, 0);
    const address = new URL(journal.header.plan.streams[0]?.url ?? '').host;
    const tracked = facts.witness.connections.filter(({ to }) => to === `${address}:80`);
    const lost = target.flatMap(({ failures }) => failures.filter(({ outcome }) => isLost(outcome)));
    const nobody = lost.filter(({ asked }) => asked === 'nobody').length;
    // Before the load each stream asks once whether there is an answer.
    const beyond = tracked.length + nobody - opened;
    assert.ok(
      beyond >= 0 && beyond <= target.length * nodes.length,
      `${tracked.length} connections in the kernel and ${nobody} sent to nobody; the agent opened ${opened}; ${whenTracked(tracked, target)}`,
    );
    assert.ok(lost.length > 50, `only ${lost.length} lost`);
    assert.is(
      lost.filter(({ asked, pod }) => asked === undefined && pod === undefined).length,
      0,
      'without a pod',
    );

    const scene = inferStarts(buildScene(facts, false), facts.streams);
    const ips = new Map<string, string>();
    for (const pod of facts.pods.values())
      for (const { facts: now } of pod.changes) if (now?.ip) ips.set(pod.name, now.ip);
    let compared = 0;
    let right = 0;
    let wrongAndSure = 0;
    const wrong: string[] = [];
    for (const failure of lost) {
      if (failure.asked === undefined || failure.asked === 'nobody' || failure.reused) continue;
      const { asked } = failure;
      const there = other.sent.filter(({ port, from }) => port === failure.localPort && from === asked.from);
      if (there.length === 0) continue;
      compared++;
      const ip = ips.get(failure.pod ?? '') ?? '';
      const [first] = there as [SentTo];
      const mine = other.sent.filter((one) => one.ip === first.ip);
      const accepted = mine.filter((one) => one.accepted).map(({ atMs }) => atMs);
      const truth = accepted.some((atMs) => atMs < first.atMs)
        ? 'routed-after-stop'
        : 'routed-before-listening';
      const [share] = decideCause(failure, scene);
      const causeRight = failure.outcome !== 'refused' || share?.cause === truth;
      if (first.ip === ip && causeRight) right++;
      else {
        wrong.push(
          `${failure.outcome} ${failure.pod} (${ip}, truly ${first.ip}): ${share?.cause}, truly ${truth}`,
        );
        if (share?.confidence === 'high') wrongAndSure++;
      }
    }
    process.stdout.write(
      `witness: ${opened} connections, ${lost.length} lost, ${compared} compared with the other end, ${right} right\n`,
    );
    process.stdout.write(`witness: ${JSON.stringify(experiment.routing)}\n`);
    process.stdout.write(`witness: ${JSON.stringify(experiment.lanes.new?.causes)}\n`);
    assert.ok(compared > 50, `only ${compared} compared`);
    assert.ok(right / compared >= 0.99, wrong.slice(0, 5).join('\n'));
    assert.is(wrongAndSure, 0);
    const causes = experiment.lanes.new?.causes ?? {};
    assert.ok((causes['routed-before-listening'] ?? 0) > 10, JSON.stringify(causes));
    assert.ok((causes['routed-after-stop'] ?? 0) > 0, JSON.stringify(causes));
    const listens = experiment.listens ?? [];
    assert.ok(
      listens.some(({ fromMs }) => fromMs !== undefined) && listens.some(({ toMs }) => toMs !== undefined),
    );
  });

test('in the end the cluster is taken away, or left as it was found', () => cluster.remove());

test.run();

/** Connections to port 8080 of pods, as their node tracks them. */
function otherEnd(node: string): { readonly sent: readonly SentTo[]; stop(): void } {
  const sent: SentTo[] = [];
  const open = new Map<string, SentTo>();
  const events = ['-E', '-p', 'tcp', '--dport', '8080', '-o', 'timestamp,id', '--buffer-size', '8388608'];
  const child = spawn('docker', ['exec', node, 'conntrack', ...events], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  let rest = '';
  child.stdout.on('data', (chunk) => {
    const lines = `${rest}${chunk}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) note(line);
  });
  const note = (line: string) => {
    const found = /^\[([\d.]+)\]\s+\[(\w+)\].*? src=(\S+) dst=(\S+) sport=(\d+) dport=8080 .* id=(\d+)/.exec(
      line,
    );
    if (!found) return;
    const [, seconds, event, from = '', ip = '', port, id] = found;
    if (event === 'NEW') {
      const one: SentTo = { port: Number(port), from, ip, atMs: Number(seconds) * 1000, accepted: false };
      sent.push(one);
      open.set(String(id), one);
    } else if (line.includes('SYN_RECV')) {
      const one = open.get(String(id));
      if (one) one.accepted = true;
    }
  };
  return { sent, stop: () => void child.kill('SIGKILL') };
}
