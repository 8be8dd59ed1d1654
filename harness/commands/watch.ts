// `rollproof watch`: its flags. What it does is harness/run/watch/watch.ts.
import { type Command, InvalidArgumentError, Option } from 'commander';
import { scenarios } from '../../scenarios/index.ts';
import { entryUrlProblem } from '../config/entries.ts';
import { UsageError } from '../model/errors.ts';
import { type Lane, lanes } from '../model/load.ts';
import { requestTimeoutMs } from '../model/scenario.ts';
import { urlPath } from '../model/url-path.ts';
import { chartOfFlags } from '../run/watch/chart.ts';
import { LONGEST_MS } from '../run/watch/plan.ts';
import { watchRun } from '../run/watch/watch.ts';
import { type ClusterFlags, configured, httpUrl, list, namespaceName, wholeNumber } from './flags.ts';
import { summaries } from './summaries.ts';

interface WatchFlags
  extends Pick<ClusterFlags, 'config' | 'context' | 'kubeconfig' | 'witness' | 'witnessImage'> {
  readonly namespace: string;
  readonly agentNamespace?: string;
  readonly service: readonly string[];
  readonly port?: string;
  readonly path?: string;
  readonly entry: readonly string[];
  readonly method: string;
  readonly header: readonly string[];
  readonly expectStatus: readonly string[];
  readonly lanes: readonly string[];
  readonly rate: number;
  readonly timeout: number;
  readonly for?: number;
  readonly rollouts?: number;
  readonly limit: number;
  readonly exitCode: 'command' | 'watch' | 'worse';
  readonly out?: string;
  readonly gate?: string;
  readonly history?: string;
  readonly otlp?: string;
  readonly dryRun?: boolean;
  readonly chart?: string;
  readonly values: readonly string[];
}

/** Twenty a second find an outage of a tenth of a second; beyond this a watch would be a load test. */
const RATE = { usual: 20, most: 200 };
const MOST_SERVICES = 10;

export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description(summaries.watch)
    .argument('[command...]', 'measure around this command, after --; else until --for, --rollouts or Ctrl-C')
    .requiredOption('--service <names>', 'Services to send requests to, separated by commas', list)
    .option('-n, --namespace <name>', 'where they are', namespaceName, 'default')
    .option('--agent-namespace <name>', 'where the load agent runs (default: beside them)', namespaceName)
    .option('--port <port>', 'of the Service, by number or name (default: its only one, or http)')
    .option(
      '--entry <url>',
      'a URL that leads to the Service: asked as often, side by side with it (with several Services: NAME=URL); may be given again',
      collect,
      [],
    )
    .option('--path <path>', 'what is asked for (default: what the readiness probe asks for, else /)')
    .option('--method <method>', 'GET, HEAD or OPTIONS', method, 'GET')
    .option('--header <header>', '"name: value"; may be given again; never recorded', collect, [])
    .option('--expect-status <codes>', 'statuses that are no loss (default: 200 to 299)', list, [])
    .option('--lanes <lanes>', 'kinds of client, separated by commas', list, ['new', 'kept'])
    .option('--rate <n>', 'requests per second, lane and Service', wholeNumber(1, RATE.most), RATE.usual)
    .option('--timeout <time>', 'limit of one request', time, 3000)
    .option('--for <time>', 'how long: 90s, 10m, 2h', time)
    .option('--rollouts <n>', 'until so many changes have ended', wholeNumber(1, 1000))
    .option('--limit <time>', 'how long a change may take to settle', time, 1_800_000)
    .addOption(
      new Option('--exit-code <whose>', 'of the command, of the watch, or the worse of them')
        .choices(['command', 'watch', 'worse'])
        .default('worse'),
    )
    .option('--config <file>', 'configuration (default: rollproof.yaml when it is there)')
    .option('--context <name>', 'context of the kubeconfig')
    .option('--kubeconfig <file>', 'kubeconfig')
    .option('--out <dir>', 'folder for the reports (default: a new one under out/)')
    .option('--gate <file>', 'bounds that every change must keep')
    .option('--history <file>', 'history to append to')
    .option(
      '--otlp <url>',
      'send figures and time line to an OpenTelemetry collector, too (OTLP/HTTP)',
      httpUrl,
    )
    .option(
      '--witness',
      'a pod with NET_ADMIN in the network of the agent’s node reads which pod each connection went to',
    )
    .option('--witness-image <image>', 'image with conntrack, bash and grep (default: kube-proxy’s)')
    .option('--chart <chart>', 'the Helm chart that they are from: it is said which of its values to change')
    .option('--values <file>', 'values for the chart, as for helm; may be given again', collect, [])
    .option('--dry-run', 'print every object that would be created, and create nothing')
    .action(async (command: string[], flags: WatchFlags) => {
      process.exitCode = await watchRun(requestOf(command, flags, process.argv.slice(2)));
    });
}

/** Throws UsageError for everything that is wrong with the flags and the configuration. */
function requestOf(command: readonly string[], flags: WatchFlags, args: readonly string[]) {
  const { configuration } = configured(
    { ...(flags.config !== undefined && { config: flags.config }), ...contextOf(flags) },
    scenarios.map(({ id }) => id),
  );
  if (flags.service.length > MOST_SERVICES)
    throw new UsageError(
      `--service: names ${flags.service.length} Services; at most ${MOST_SERVICES} are watched at once.`,
    );
  if (command.length > 0 && (flags.for !== undefined || flags.rollouts !== undefined))
    throw new UsageError(
      '--for, --rollouts: a command says itself when it is over; leave them out, or leave out the command.',
    );
  for (const [name, ms] of [
    ['--for', flags.for],
    ['--limit', flags.limit],
  ] as const)
    if (ms !== undefined && ms > LONGEST_MS) throw new UsageError(`${name}: at most 24h.`);
  const { success } = requestTimeoutMs.safeParse(flags.timeout);
  if (!success || flags.timeout > 30_000) throw new UsageError('--timeout: from 10ms to 30s.');
  const path = urlPath.optional().safeParse(flags.path);
  if (!path.success)
    throw new UsageError(`--path ${JSON.stringify(flags.path)}: it needs ${path.error.issues[0]?.message}.`);
  if (flags.values.length > 0 && flags.chart === undefined)
    throw new UsageError('--values: says something of a chart; name it with --chart.');
  const urls = urlsOf(flags.entry, flags.service);
  return {
    configuration,
    namespace: flags.namespace,
    agentNamespace: flags.agentNamespace ?? flags.namespace,
    services: flags.service.map((name) => ({ name, port: flags.port, path: path.data, url: urls.get(name) })),
    asking: {
      lanes: flags.lanes.map(laneOf),
      rate: flags.rate,
      method: flags.method,
      headers: Object.fromEntries(flags.header.map(headerOf)),
      expectStatus: flags.expectStatus.map(statusOf),
      timeoutMs: flags.timeout,
    },
    forMs: flags.for,
    rollouts: flags.rollouts,
    limitMs: flags.limit,
    command,
    exitCodeOf: flags.exitCode,
    out: flags.out,
    gateFile: flags.gate,
    historyFile: flags.history,
    otlp: flags.otlp,
    dryRun: flags.dryRun === true,
    chart: flags.chart === undefined ? undefined : chartOfFlags(flags.chart, flags.values),
    arguments: args,
  };
}

const contextOf = ({ context, kubeconfig, witness, witnessImage }: WatchFlags) => ({
  cluster: 'context' as const,
  ...(witness !== undefined && { witness }),
  ...(witnessImage !== undefined && { witnessImage }),
  ...(context !== undefined && { context }),
  ...(kubeconfig !== undefined && { kubeconfig }),
});

/** By the Service that each leads to. */
function urlsOf(entries: readonly string[], services: readonly string[]): ReadonlyMap<string, string> {
  const urls = new Map<string, string>();
  for (const text of entries) {
    const [, named, url = ''] = /^(?:([a-z0-9][a-z0-9.-]*)=)?(.*)$/s.exec(text) ?? [];
    const name = named ?? (services.length === 1 ? services[0] : undefined);
    const problem = entryUrlProblem(url);
    const wrong = (why: string) => new UsageError(`--entry ${text.replace(/\/\/[^/]*@/, '//…@')} ${why}.`);
    if (problem) throw wrong(problem);
    if (name === undefined) throw wrong('must say to which of the Services it leads: NAME=URL');
    if (!services.includes(name)) throw wrong(`leads to Service ${name}, which --service does not name`);
    if (urls.has(name)) throw wrong(`is the second one for Service ${name}; one can be watched beside it`);
    urls.set(name, url);
  }
  return urls;
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** What changes nothing on a server that keeps to RFC 9110. */
function method(text: string): string {
  const upper = text.toUpperCase();
  if (['GET', 'HEAD', 'OPTIONS'].includes(upper)) return upper;
  throw new InvalidArgumentError('A watch sends GET, HEAD or OPTIONS: nothing that changes somebody’s data.');
}

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

function time(text: string): number {
  const [, number, unit = 's'] = /^(\d+(?:\.\d+)?)(ms|s|m|h)?$/.exec(text) ?? [];
  const ms = Number(number) * (units[unit] ?? 0);
  if (ms > 0) return Math.round(ms);
  throw new InvalidArgumentError('A time is a number with ms, s, m or h: 90s, 10m.');
}

function laneOf(name: string): Lane {
  const found = lanes.find((lane) => lane === name);
  if (found === 'new' || found === 'kept') return found;
  throw new UsageError(`--lanes "${name}": a watch has the lanes new and kept.`);
}

function headerOf(text: string): [string, string] {
  const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):\s*(.*)$/.exec(text) ?? [];
  if (name === undefined || value === undefined)
    throw new UsageError(`--header "${text}": write "name: value".`);
  return [name, value];
}

function statusOf(text: string): number {
  const value = Number(text);
  if (/^\d{3}$/.test(text) && value >= 100 && value <= 599) return value;
  throw new UsageError(`--expect-status "${text}": a status is a number from 100 to 599.`);
}
