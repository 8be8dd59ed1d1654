// What the load agent costs while a Service is watched: processor time and memory of the agent's process, asked for its frames
// as a watch asks, against a server on loopback. Processor time counts, so other work on the machine disturbs little.
// Usage: node scripts/start.mjs scripts/agent-cpu.ts [--rates 20,50] [--seconds 30] [--after 5] [--profile FOLDER]
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { list, wholeNumber } from '../harness/commands/flags.ts';
import { agentAt } from '../harness/control/agent-client.ts';
import { framePuller } from '../harness/control/frame-puller.ts';
import { startProgram } from '../harness/exec/program.ts';
import { agentEntry, bundle } from '../harness/load/bundle.ts';
import { FaultError } from '../harness/model/errors.ts';
import { PULL_MS, watchPlan } from '../harness/run/watch/plan.ts';
import { selfTimes } from './bench/profile.ts';
import { parseCommandLine, runScript } from './command-line.ts';

const {
  seconds,
  rates,
  after: warmUp,
  profile,
} = parseCommandLine(
  new Command('agent-cpu')
    .description('processor time and memory of the load agent of a watch')
    .option('--rates <list>', 'requests per second and lane, one run each', list, ['20', '50'])
    .option('--seconds <n>', 'length of each run', wholeNumber(1, 600), 30)
    .option(
      '--after <n>',
      'seconds of load before each run; Node.js goes on compiling for two minutes',
      wholeNumber(1, 600),
      5,
    )
    .option('--profile <folder>', 'also profile the agent, and put the profiles there'),
).opts<{ rates: readonly string[]; seconds: number; after: number; profile?: string }>();

const STOP_LIMIT_MS = 5000;
const here = dirname(fileURLToPath(import.meta.url));

/** Starts a program of ours; `said` is what its first fitting line says. */
async function started(
  file: string,
  line: RegExp,
  env: Record<string, string>,
  flags: readonly string[] = [],
) {
  let onSaid: (text: string) => void = () => {};
  const said = new Promise<string>((resolve) => {
    onSaid = resolve;
  });
  const program = startProgram(process.execPath, [...flags, file], {
    onlyEnv: { PATH: process.env.PATH, ...env },
    onLine: (text) => {
      const found = line.exec(text)?.[1];
      if (found !== undefined) onSaid(found);
    },
  });
  process.once('exit', () => program.kill('SIGKILL'));
  const ended = program.ended.then(({ how, stderr }): never => {
    throw new FaultError(`agent-cpu: ${file} ${how}: ${stderr}`);
  });
  ended.catch(() => {});
  return { said: await Promise.race([said, ended]), program };
}

interface Cost {
  /** Processor time so far, in clock ticks of 10 ms. */
  readonly cpuMs: number;
  readonly systemMs: number;
  /** How often its main thread has gone to sleep, and so was woken. */
  readonly sleeps: number;
  readonly rssMb: number;
}

function costOf(pid: number): Cost {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? [];
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const rss = /VmRSS:\s+(\d+) kB/.exec(status)?.[1];
  const sleeps = /\nvoluntary_ctxt_switches:\s+(\d+)/.exec(status)?.[1];
  const [userMs, systemMs] = [Number(fields[11]) * 10, Number(fields[12]) * 10];
  return { cpuMs: userMs + systemMs, systemMs, sleeps: Number(sleeps), rssMb: Number(rss) / 1024 };
}

async function run(rate: number, port: string): Promise<void> {
  const flags = profile === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', profile];
  const env = {
    PORT: '0',
    PHASE_PORT: '0',
    ROLLPROOF_BIND_ADDRESS: '127.0.0.1',
    ROLLPROOF_IDLE_LIMIT_MS: '120000',
  };
  const { said, program } = await started(await bundle(agentEntry), /control on port (\d+)/, env, flags);
  const { pid } = program;
  if (pid === undefined) throw new FaultError('agent-cpu: the agent has no process.');
  const client = agentAt('agent', `http://127.0.0.1:${said}`);
  const service = { clusterIp: '127.0.0.1', port: Number(port), name: 'web', path: '/' };
  const asking = {
    rate,
    lanes: ['new', 'kept'],
    method: 'GET',
    headers: {},
    expectStatus: [],
    timeoutMs: 3000,
  } as const;
  const plan = watchPlan(
    [{ ...service, uid: '', selector: undefined, owners: [], workload: '', serving: undefined, objects: [] }],
    asking,
    {
      runId: 'agent-cpu',
      control: `127.0.0.1:${port}`,
      witnessed: false,
    },
  );
  const { signal } = new AbortController();
  await client.prepare(plan, signal);
  await client.fire(0, signal);
  const puller = framePuller(client, { frame: () => {}, gap: () => {} }, { everyMs: PULL_MS });
  const pulled = puller.untilEnded(signal);
  await new Promise((resolve) => setTimeout(resolve, warmUp * 1000));
  const [before, from] = [costOf(pid), performance.now()];
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const [after, ms] = [costOf(pid), performance.now() - from];
  await client.stop(signal);
  await pulled;
  const { ends } = await client.end(signal);
  const sent = ends.map(({ stream, attempts }) => `${stream} ${attempts}`).join(', ');
  await program.stop('SIGTERM', STOP_LIMIT_MS);
  const share = (of: 'cpuMs' | 'systemMs') => `${(((after[of] - before[of]) / ms) * 100).toFixed(1)} %`;
  const wakeUps = Math.round(((after.sleeps - before.sleeps) / ms) * 1000);
  process.stdout.write(
    `${rate}/s and lane: ${share('cpuMs')} of a core (${share('systemMs')} in the kernel), ${wakeUps} wake-ups per second, ${after.rssMb.toFixed(0)} MB resident (${sent}; lost ${ends.reduce((sum, { outcomes, attempts }) => sum + attempts - (outcomes.ok ?? 0), 0)})\n`,
  );
}

await runScript(async () => {
  if (profile !== undefined) mkdirSync(profile, { recursive: true });
  const server = await started(await bundle(join(here, 'bench', 'server.ts')), /^(\d+)$/, {});
  for (const rate of rates) await run(Number(rate), server.said);
  await server.program.stop(undefined, STOP_LIMIT_MS);
  for (const file of profile === undefined ? [] : readdirSync(profile)) {
    process.stdout.write(`\n${file}\n`);
    for (const { name, share } of selfTimes(join(profile as string, file)))
      process.stdout.write(`${(share * 100).toFixed(1).padStart(6)} %  ${name}\n`);
  }
  return 0;
});
