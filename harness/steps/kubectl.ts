// The real kubectl beside our own steps: it does to a twin of the target what the steps do to the target, and the two
// must come out the same.
import type { Kubectl } from '../kube/kubectl.ts';
import { WaitError, waitFor } from '../kube/wait.ts';
import { FaultError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { rolloutComplete } from '../model/rollout.ts';
import type { StepContext, StepRunner } from './context.ts';
import { workloadPath } from './context.ts';
import { type Comparison, compareValues, sum } from './parity/differences.ts';
import { normalForm, type OwnedObject } from './parity/normal-form.ts';
import { twinName, twinOf, unmarked } from './parity/twin.ts';
import { revisionsOf } from './rollout.ts';
import { resolveImage } from './set-image.ts';

/** Recorded instead of what would have been measured. */
const notRun = { notRun: 'there is no kubectl on the PATH' } as const;
const TWIN_LIMIT_MS = 120_000;
/** Controllers follow a change within a moment; what still differs then differs for good. */
const SETTLE_MS = 10_000;
const LOOK_AGAIN_MS = 500;
/** Some ten runs of kubectl and as many requests of ours. */
const COMPARE_LIMIT_MS = 60_000;
const SAID_CHARS = 300;

export const twin: StepRunner<'twin'> = async (_step, context) => {
  const tool = await context.kubectl();
  if (!tool) return notRun;
  const { workload, kube, state, signal } = context;
  if (workload.kind !== 'Deployment') {
    throw new FaultError(`Step twin: the target is a ${workload.kind}; only a Deployment can have a twin.`);
  }
  const manifest = twinOf(await kube.json<Manifest>('GET', workloadPath(context)));
  await kube.objects.create(manifest);
  const { name } = manifest.metadata;
  await state.until(
    `the rollout of ${name} to complete`,
    () => rolloutComplete(state.all('Deployment').get(name)),
    TWIN_LIMIT_MS,
    signal,
  );
  return { name, kubectlVersion: await versionOf(tool) };
};

export const kubectl: StepRunner<'kubectl'> = async (step, context) => {
  const tool = await context.kubectl();
  if (!tool) return notRun;
  const args = step.args.map((arg) => withNames(arg, context));
  const input = step.manifest && JSON.stringify(forTwin(step.manifest, context));
  const said = await printedBy(tool, args, input);
  // Whole objects may carry values that are nobody's business.
  const prints = args.some((arg) => /^(-o|--output)/.test(arg));
  return {
    command: ['kubectl', ...args].join(' '),
    ...(!prints && { said: said.trim().slice(0, SAID_CHARS) }),
  };
};

/** Everything that kubectl and we say about the two, until it is the same or the limit has passed. */
export const compareTwin: StepRunner<'compare-twin'> = async (step, context) => {
  const tool = await context.kubectl();
  if (!tool) return notRun;
  let last: Comparison | undefined;
  try {
    await waitFor(
      {
        what: 'kubectl and our steps to say the same',
        limitMs: SETTLE_MS,
        signal: context.signal,
        everyMs: LOOK_AGAIN_MS,
        lookLimitMs: COMPARE_LIMIT_MS,
      },
      async () => {
        last = await compare(tool, context);
        return last.differences.length === 0
          ? { met: true }
          : { seen: `${last.differences.length} differences` };
      },
    );
  } catch (error) {
    // What still differs at the end is the result.
    if (!(error instanceof WaitError) || !last) throw error;
  }
  const { compared = 0, differences = [] } = last ?? {};
  return { as: step.as, compared, differences };
};

async function compare(tool: Kubectl, context: StepContext): Promise<Comparison> {
  return sum([
    await compareObjects(tool, context),
    await compareReading(tool, context),
    await compareHistories(tool, context),
    await compareStatus(tool, context, context.workload.name),
    await compareStatus(tool, context, twinName(context.workload.name)),
  ]);
}

/** The target as we read it, the twin as kubectl does. */
async function compareObjects(tool: Kubectl, context: StepContext): Promise<Comparison> {
  const { workload, kube, namespace } = context;
  const ours = await kube.json<OwnedObject>('GET', workloadPath(context));
  const sets = await kube.json<{ items: OwnedObject[] }>(
    'GET',
    `/apis/apps/v1/namespaces/${namespace}/replicasets`,
  );
  const theirs = unmarked(await getBy<OwnedObject>(tool, `deployment/${twinName(workload.name)}`));
  const theirSets = unmarked(await getBy<{ items: OwnedObject[] }>(tool, 'replicasets'));
  // Items of a list carry no kind of their own when the API server sends them.
  const typed = sets.items.map((set) => ({ apiVersion: 'apps/v1', kind: 'ReplicaSet', ...set }));
  return compareValues(normalForm(ours, typed), normalForm(theirs, theirSets.items));
}

/** The same object read both ways, unless it was written meanwhile. */
async function compareReading(tool: Kubectl, context: StepContext): Promise<Comparison> {
  const path = workloadPath(context);
  const before = await context.kube.json<OwnedObject>('GET', path);
  const theirs = await getBy<OwnedObject>(tool, `deployment/${context.workload.name}`);
  const ours = await context.kube.json<OwnedObject>('GET', path);
  if (before.metadata.resourceVersion !== ours.metadata.resourceVersion) {
    return { compared: 0, differences: ['get: the object was written between the two readings'] };
  }
  return compareValues(ours, theirs, 'get');
}

async function compareHistories(tool: Kubectl, context: StepContext): Promise<Comparison> {
  const ours = await revisionsOf(context);
  const printed = await printedBy(tool, [
    'rollout',
    'history',
    `deployment/${twinName(context.workload.name)}`,
  ]);
  return compareValues(
    ours.map(({ revision, changeCause }) => `${revision} ${changeCause ?? '<none>'}`),
    historyLines(printed),
    'history',
  );
}

/** "1         <none>" → "1 <none>", for each revision that kubectl lists. */
const historyLines = (printed: string): string[] =>
  printed.split('\n').flatMap((line) => {
    const [, revision, cause] = /^(\d+)\s+(.*\S)\s*$/.exec(line) ?? [];
    return revision ? [`${revision} ${cause}`] : [];
  });

async function compareStatus(tool: Kubectl, context: StepContext, name: string): Promise<Comparison> {
  const printed = await printedBy(tool, ['rollout', 'status', `deployment/${name}`, '--watch=false']);
  const ours = rolloutComplete(context.state.all('Deployment').get(name));
  return compareValues(
    ours,
    printed.includes('successfully rolled out'),
    `rollout status of ${unmarked(name)}`,
  );
}

const getBy = async <T>(tool: Kubectl, what: string): Promise<T> =>
  JSON.parse(await printedBy(tool, ['get', what, '--output=json', '--show-managed-fields'])) as T;

/** Asked with the cluster at hand: what stands on the PATH may choose the kubectl that fits the cluster. */
async function versionOf(tool: Kubectl): Promise<string | undefined> {
  const { clientVersion } = JSON.parse(await printedBy(tool, ['version', '--output=json'])) as {
    clientVersion?: { gitVersion?: string };
  };
  return clientVersion?.gitVersion;
}

/** What it printed; a FaultError with its words when it fails. */
async function printedBy(tool: Kubectl, args: readonly string[], input?: string): Promise<string> {
  const { code, out, err } = await tool.run(args, input);
  if (code === 0) return out;
  throw new FaultError(
    `kubectl ${args.join(' ')} ended with ${code}: ${(err || out).trim().slice(0, SAID_CHARS)}`,
  );
}

const withNames = (arg: string, { workload, images }: StepContext): string =>
  arg
    .replaceAll('{twin}', twinName(workload.name))
    .replaceAll('{container}', workload.container)
    .replaceAll(/\{image:(\w+)\}/g, (_, name: string) => resolveImage(name, images));

/** The manifest that a step gives to the target, under the twin's name. */
const forTwin = (manifest: Readonly<Record<string, unknown>>, { workload }: StepContext): unknown => ({
  ...manifest,
  metadata: { ...(manifest.metadata as object | undefined), name: twinName(workload.name) },
});
