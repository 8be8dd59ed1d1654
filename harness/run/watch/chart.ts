// Where what a workload lacks belongs into the values of a Helm chart: which values do the same. The chart is named by flags,
// or stands in the helm command that is watched; which value leads where is found by rendering it (harness/write/chart.ts).
import { basename, join } from 'node:path';
import type { HelmSource } from '../../config/schema.ts';
import type { ReadManifest } from '../../deploy/read-manifests.ts';
import { renderChart } from '../../deploy/sources/helm.ts';
import { FaultError, messageOf, UsageError } from '../../model/errors.ts';
import { releaseOf } from '../../model/rendering.ts';
import { chartPlan, valuesName } from '../../write/chart.ts';
import { writePlan } from '../../write/index.ts';
import { objectName } from '../../write/plan.ts';
import { helmRelease } from './keeper.ts';
import { workloadOf } from './remedy.ts';
import type { WatchedService } from './services.ts';

export interface GivenChart {
  readonly source: HelmSource;
  /** What else the helm command said of the rendering. */
  readonly args: readonly string[];
  readonly named: (field: 'chart' | 'values') => string;
}

export const chartOfFlags = (chart: string, values: readonly string[]): GivenChart => ({
  source: { chart, values: [...values] },
  args: [],
  named: (field) => `--${field}`,
});

/** Flags of `helm upgrade` that say what is rendered, each with its value. */
const rendering = /^(-f|--values|--set(-string|-json|-file|-literal)?|--repo|--version)(=.*)?$/s;

/** Undefined: it is no `helm upgrade` of that release, or is written in another way. */
export function chartOfCommand(
  [file = '', ...args]: readonly string[],
  release: string | undefined,
): GivenChart | undefined {
  const verb = args.findIndex((one) => one === 'upgrade' || one === 'install');
  if (basename(file) !== 'helm' || verb === -1 || release === undefined) return undefined;
  const at = args.findIndex(
    (one, index) => index > verb && one === release && !/^(-n|--namespace)$/.test(args[index - 1] ?? ''),
  );
  const chart = at === -1 ? undefined : args[at + 1];
  if (chart === undefined || chart.startsWith('-')) return undefined;
  const said = args.flatMap((one, index) => {
    const [flag, , , value] = rendering.exec(one) ?? [];
    if (flag === undefined) return [];
    return value === undefined ? [one, args[index + 1] ?? ''] : [one];
  });
  return { source: { chart, release }, args: said, named: (field) => `the command’s ${field}` };
}

/** Throws UsageError where a chart that flags name cannot be rendered, or renders none of the workloads. */
export async function refuseWrongChart(
  given: GivenChart,
  services: readonly WatchedService[],
  kubernetesVersion: string,
  signal: AbortSignal,
): Promise<void> {
  const wanted: string[] = [];
  let last: readonly ReadManifest[] = [];
  for (const service of services) {
    const workload = workloadOf(service, kubernetesVersion);
    if (!workload) continue;
    const { source, context } = renderingOf(given, service, signal);
    last = await renderChart(source, context);
    if (holds(last, workload.named)) return;
    wanted.push(`${workload.named.kind} ${workload.named.name} (release ${source.release})`);
  }
  throw new UsageError(
    wanted.length === 0
      ? `--chart ${given.source.chart}: none of the Services has a Deployment, StatefulSet, DaemonSet or Rollout behind it that values of a chart could change. Leave it out.`
      : `--chart ${given.source.chart}: it renders no ${wanted.join(', no ')}; it renders ${namesOf(last)}. Name the chart that they are from, with its --values.`,
  );
}

interface ChartWanted {
  readonly given: GivenChart;
  readonly service: WatchedService;
  readonly namespace: string;
  readonly kubernetesVersion: string;
  /** For the files. */
  readonly out: string;
  readonly limitMs: number;
  readonly signal: AbortSignal;
}

interface ChartSaid {
  /** Sentences. */
  readonly notes: readonly string[];
  /** Beside the reports; undefined: the chart offers none. */
  readonly values?: { readonly file: string; readonly text: string };
}

/** Writes what the chart offers as a file of values, and a patch behind the rendering for the rest. Never fails for the chart. */
export async function valuesOf(wanted: ChartWanted): Promise<ChartSaid> {
  const { given, service, limitMs, signal } = wanted;
  const limit = AbortSignal.timeout(limitMs);
  const { chart } = given.source;
  try {
    return await planned(wanted, AbortSignal.any([signal, limit]));
  } catch (error) {
    signal.throwIfAborted();
    if (limit.aborted)
      return {
        notes: [
          `Which values of chart ${chart} do the same was not found within ${limitMs / 1000} s; \`rollproof harden\` with it as target has no such limit.`,
        ],
      };
    if (!(error instanceof UsageError || error instanceof FaultError)) throw error;
    return {
      notes: [`Which values do the same cannot be said for Service ${service.name}: ${messageOf(error)}`],
    };
  }
}

async function planned(
  { given, service, namespace, kubernetesVersion, out }: ChartWanted,
  signal: AbortSignal,
): Promise<ChartSaid> {
  const workload = workloadOf(service, kubernetesVersion);
  if (!workload) return { notes: [] };
  const { source, context } = renderingOf(given, service, signal);
  const { chart, release, values = [] } = source;
  const read = await renderChart(source, context);
  if (!holds(read, workload.named)) {
    const { kind, name } = workload.named;
    return {
      notes: [
        `Chart ${chart} renders no ${kind} ${name} as release ${release}; it renders ${namesOf(read)}.`,
      ],
    };
  }
  const own = [...values.map((file) => ` --values ${file}`), given.args.length > 0 ? ' …' : ''].join('');
  const upgrade = `helm upgrade ${release} ${chart} --namespace ${namespace}${own}`;
  const folder = join(out, `helm-${service.name}`);
  const plan = await chartPlan(source, read, (manifests) => workload.apply(manifests).manifests, {
    ...context,
    workload: workload.named,
    into: { folder, upgrade },
  });
  if (plan.files.length === 0)
    return {
      notes: [`Chart ${chart} as it lies there renders all of it: the next helm upgrade brings it.`],
    };
  writePlan(plan);
  const file = plan.files.find((one) => basename(one.file) === valuesName);
  return { notes: plan.notes, ...(file && { values: { file: file.file, text: file.after } }) };
}

const holds = (read: readonly ReadManifest[], wanted: { readonly kind: string; readonly name: string }) =>
  read.some(({ manifest: { kind, metadata } }) => kind === wanted.kind && metadata.name === wanted.name);

const NAMES_SHOWN = 8;

function namesOf(read: readonly ReadManifest[]): string {
  const names = read.map(({ manifest }) => objectName(manifest));
  const more = names.length - NAMES_SHOWN;
  return names.length === 0
    ? 'nothing'
    : [...names.slice(0, NAMES_SHOWN), ...(more > 0 ? [`${more} more`] : [])].join(', ');
}

/** Names of objects hang on the release's. */
function renderingOf(given: GivenChart, { objects }: WatchedService, signal: AbortSignal) {
  const release = given.source.release ?? objects.map(helmRelease).find((one) => one !== undefined);
  return {
    source: { ...given.source, release: release ?? releaseOf(given.source.chart) },
    context: { at: () => given.source.chart, signal, named: given.named, args: given.args },
  };
}
