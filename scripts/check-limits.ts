// `npm run check-limits`: what `rollproof check` needs for the largest inputs that it reads, and how it refuses larger ones:
// seconds of CPU and peak memory, each input in a process of its own. The figures in docs/check.md are from here.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { runCheck } from '../harness/commands/check.ts';
import { runToExit } from '../harness/exec/command.ts';
import { assumedMinor } from '../harness/model/rendering.ts';
import { parseCommandLine } from './command-line.ts';

const LIMIT_MS = 600_000;

const { one } = parseCommandLine(
  new Command('check-limits')
    .description('CPU time and memory of rollproof check on the largest inputs')
    .option('--one <file>', 'check this file in this process, and print what that took'),
).opts<{ one?: string }>();

const deployment = (name: string, app = name, container = '') => `apiVersion: apps/v1
kind: Deployment
metadata: {name: ${name}}
spec:
  selector: {matchLabels: {app: ${app}}}
  template:
    metadata: {labels: {app: ${app}}}
    spec: {containers: [{name: web, image: 'web:1', ports: [{containerPort: 80}]${container}}]}
`;
const service = (name: string, app = name, ports = '{port: 80}') => `apiVersion: v1
kind: Service
metadata: {name: ${name}}
spec: {selector: {app: ${app}}, ports: [${ports}]}
`;
const times = <T>(count: number, make: (index: number) => T): T[] =>
  Array.from({ length: count }, (_, index) => make(index));
const documents = (all: readonly string[]) => all.join('---\n');

const inputs: Readonly<Record<string, () => string>> = {
  '10,000 Deployments': () => documents(times(10_000, (n) => deployment(`w${n}`))),
  '100,000 Deployments': () => documents(times(100_000, (n) => deployment(`w${n}`))),
  '5,000 Deployments, a Service each': () =>
    documents(times(5000, (n) => `${deployment(`w${n}`)}---\n${service(`w${n}`)}`)),
  '5,000 Deployments and 5,000 Services that all select each other': () =>
    documents([
      ...times(5000, (n) => deployment(`w${n}`, 'web')),
      ...times(5000, (n) => service(`s${n}`, 'web')),
    ]),
  '100,000 variables of one container': () =>
    documents([
      deployment('web', 'web', `, env: [${times(100_000, (n) => `{name: K${n}, value: v}`).join(', ')}]`),
      service('web'),
    ]),
  '100,000 ports of one Service': () =>
    documents([
      deployment('web'),
      service('web', 'web', times(100_000, (n) => `{name: p${n}, port: ${(n % 60_000) + 1}}`).join(', ')),
    ]),
  '100,000 labels': () =>
    deployment('web').replace(
      'labels: {app: web}}',
      `labels: {app: web, ${times(100_000, (n) => `k${n}: v`).join(', ')}}}`,
    ),
  'the same key 100,000 times': () =>
    deployment('web').replace('labels: {app: web}}', `labels: {app: web, ${'k: v, '.repeat(100_000)}}}`),
};

if (one === undefined) await measureAll();
else await measureOne(one);

async function measureOne(file: string): Promise<void> {
  const { output, problems, code } = await runCheck([file], { kubernetes: assumedMinor });
  const { user, system } = process.cpuUsage();
  const said = problems[0]?.replace(/^\S+: /, '') ?? output.trimEnd().split('\n').at(-1);
  const cpu = ((user + system) / 1e6).toFixed(1);
  console.log(
    `${cpu} s of CPU, ${Math.round(process.resourceUsage().maxRSS / 1024)} MB, exit code ${code}: ${said}`,
  );
}

async function measureAll(): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-check-limits-'));
  const start = fileURLToPath(new URL('start.mjs', import.meta.url));
  try {
    for (const [name, make] of Object.entries(inputs)) {
      const file = join(folder, 'm.yaml');
      writeFileSync(file, make());
      const args = [start, fileURLToPath(import.meta.url), '--one', file];
      const { stdout, stderr } = await runToExit(process.execPath, args, { limitMs: LIMIT_MS });
      console.log(`${name}: ${stdout.trim() || stderr.trim()}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
