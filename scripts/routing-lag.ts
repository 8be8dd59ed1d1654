// `npm run routing-lag`: how the lag of a node's routing grows with the number of Services, on kind. Idle Services with
// three endpoints each are put beside the target, which is restarted twice under load; the lag is that of the report
// (docs/causes.md, the kernel as witness).
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { createObjects } from '../harness/deploy/apply.ts';
import { removeNamespaces } from '../harness/deploy/remove.ts';
import { connectKube, type Kube } from '../harness/kube/client.ts';
import { exitCode, FaultError, UsageError } from '../harness/model/errors.ts';
import { Lifetime } from '../harness/model/lifetime.ts';
import { label, type Manifest } from '../harness/model/manifest.ts';
import type { LagFigures, Results } from '../harness/model/results.ts';
import { onInterrupt } from '../harness/run/interrupt.ts';
import { parseCommandLine, runScript } from './command-line.ts';
import { writePart } from './doc-part.ts';
import { keptKind, verifyRun } from './verify-run.ts';

interface Flags {
  readonly services: readonly string[];
  readonly out: string;
  readonly rate: number;
  readonly write?: boolean;
}

const page = fileURLToPath(new URL('../docs/causes.md', import.meta.url));
const MOST_SERVICES = 5000;
/** Not of the name of an experiment's namespace: the run beside it must not take it for a leftover. */
const namespace = 'idle-services';
const REMOVE_LIMIT_MS = 180_000;
const AT_A_TIME = 20;

const scenario = {
  id: 'routing-lag',
  title: 'Two restarts',
  question: 'How far does the routing lag behind the EndpointSlices?',
  group: 'connections',
  target: { replicas: 6, startMs: 0 },
  variants: ['baseline'],
  load: [{ lane: 'new' }],
  steps: [
    { step: 'restart' },
    { step: 'wait', for: 'rollout' },
    { step: 'restart' },
    { step: 'wait', for: 'rollout' },
  ],
  claims: [],
};

const command = parseCommandLine(
  new Command('routing-lag')
    .description("measure on kind how the lag of a node's routing grows with the number of Services")
    .option('--services <numbers>', 'idle Services beside the target, one run for each', list, [
      '1',
      '100',
      '1000',
    ])
    .option('--out <dir>', 'folder of the runs', 'out/routing-lag')
    .option('--rate <n>', 'new connections per second', wholeNumber(1, 1000), 200)
    .option('--write', 'put the table into docs/causes.md'),
);
await runScript(() => main(command.opts<Flags>()));

async function main({ services, out, rate, write }: Flags): Promise<number> {
  const numbers = services.map(Number);
  const odd = numbers.findIndex((n) => !Number.isInteger(n) || n < 0 || n > MOST_SERVICES);
  if (odd !== -1)
    throw new UsageError(
      `routing-lag: --services: "${services[odd]}" must be a whole number from 0 to ${MOST_SERVICES}.`,
    );
  using interrupt = onInterrupt((text) => void process.stderr.write(`${text}\n`));
  mkdirSync(out, { recursive: true });
  const config = join(out, 'routing-lag.json');
  writeFileSync(config, JSON.stringify({ scenarios: [scenario] }));
  const rows: string[] = [];
  for (const number of numbers) {
    const life = new Lifetime({ parent: interrupt.signal, undoLimitMs: REMOVE_LIMIT_MS });
    try {
      rows.push(await measured(life, number, { config, out: join(out, String(number)), rate }));
    } finally {
      for (const { what, why } of await life.end()) process.stderr.write(`Could not ${what}: ${why}\n`);
    }
  }
  const table = [
    '| idle Services | proxy mode | endpoints that left: last connection after | endpoints that joined: first connection after |',
    '|---|---|---|---|',
    ...rows,
  ].join('\n');
  process.stdout.write(`${table}\n`);
  if (write) writePart(page, 'routing-lag', table);
  return exitCode.ok;
}

async function measured(
  life: Lifetime,
  services: number,
  { config, out, rate }: { readonly config: string; readonly out: string; readonly rate: number },
): Promise<string> {
  const { kubeconfig } = await keptKind(life.signal);
  const kube = await connectKube(kubeconfig);
  life.defer('close the connections to the API server', () => kube.close());
  // A run that was killed may have left it.
  await removeNamespaces(kube, [namespace], namespace, REMOVE_LIMIT_MS, life.signal);
  life.defer('remove the idle Services', () =>
    removeNamespaces(kube, [namespace], namespace, REMOVE_LIMIT_MS),
  );
  await createIdle(kube, services);
  await verifyRun('kind', out, ['--config', config, '--rate', String(rate)], life.signal);
  const results = JSON.parse(readFileSync(join(out, 'results.json'), 'utf8')) as Results;
  const [experiment] = results.scenarios[0]?.experiments ?? [];
  const routing = experiment?.routing?.[0];
  if (!experiment?.valid || !routing)
    throw new FaultError(
      `routing-lag: ${out} was not measured well enough: ${experiment?.invalid.join(' ') || 'connection tracking was not read'}`,
    );
  return `| ${services.toLocaleString('en-US')} | ${results.cluster.proxyMode} | ${figures(routing.left)} | ${figures(routing.joined)} |`;
}

function figures({ count, p50Ms, p90Ms, maxMs }: LagFigures): string {
  return `p50 ${Math.round(p50Ms)} ms, p90 ${Math.round(p90Ms)} ms, max ${Math.round(maxMs)} ms (n = ${count})`;
}

/** Nobody is at their endpoints (TEST-NET-1), and nobody asks. */
async function createIdle(kube: Kube, services: number): Promise<void> {
  await createObjects(kube, [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: { [label.run]: namespace } },
    },
  ]);
  const all = Array.from({ length: services }, (_, index) => idle(index));
  while (all.length > 0)
    await Promise.all(all.splice(0, AT_A_TIME).map((manifests) => createObjects(kube, manifests)));
}

function idle(index: number): Manifest[] {
  const name = `idle-${index}`;
  return [
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: { ports: [{ port: 80, targetPort: 8080 }] },
    },
    {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, namespace, labels: { 'kubernetes.io/service-name': name } },
      addressType: 'IPv4',
      ports: [{ port: 8080, protocol: 'TCP', name: '' }],
      endpoints: [1, 2, 3].map((n) => ({
        addresses: [`192.0.2.${((3 * index + n) % 250) + 1}`],
        conditions: { ready: true },
      })),
    },
  ];
}
