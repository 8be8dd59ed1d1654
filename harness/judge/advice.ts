// What a reader should do, in plain words, from the causes that were found.
import { inLineOrder, type LineId, linesOf, parseLineId } from '../model/line.ts';
import { type Cause, causes, type ExperimentResult, type Remedy, type RemedyId } from '../model/results.ts';
import { asIsName, watchedName } from '../model/setting.ts';
import { count, duration, listed } from '../words/figures.ts';
import { because } from '../words/names.ts';

/**
 * First what is still lost in the variant with most settings, then what its settings save against the variant with
 * none. Empty when nothing was lost anywhere. `decided`: settings that an ablation has looked at one by one: what the
 * pair of none and all suggests about them is said better there, or was found not to be so.
 */
export function advise(experiments: readonly ExperimentResult[], decided: readonly string[] = []): string[] {
  const complete = experiments.filter((experiment) => experiment.status === 'complete');
  const most = Math.max(0, ...complete.map((experiment) => experiment.settings.length));
  // Where the settings change nothing, variants are alike: one of them is spoken of, and nothing is added up.
  const named = complete.find((experiment) => experiment.settings.length === most)?.variant;
  const fullest = complete.filter(
    ({ settings: own, variant: name }) => own.length === most && (name === named || most > 0),
  );
  const ownRan = complete.some((experiment) => experiment.variant === asIsName);
  const bare = complete.filter((experiment) =>
    ownRan ? experiment.variant === asIsName : experiment.settings.length === 0,
  );
  const advice: string[] = [];
  const settings = new Set(fullest[0]?.settings ?? []);
  const variant = fullest[0]?.variant ?? '';
  for (const [what, lost] of lossesByRemedy(fullest)) {
    const todo =
      typeof what === 'string' ? remedy(what, settings, fullest, lost) : `${what.found}. ${what.todo}`;
    const who = variant === watchedName ? 'The changes lost' : `${variant} still loses`;
    advice.push(`${who} ${lossText(lost)}: ${todo}`);
  }
  for (const { found, todo } of silentRemedies(fullest)) advice.push(`Also: ${found}. ${todo}`);
  if (most === 0) return advice;
  const left = new Map(lossesByCause(fullest));
  const said = new Set(fullest.flatMap(({ remedies = [] }) => remedies.map(({ id }) => id)));
  const doneBy = ({ setting }: Remedy): string =>
    setting && settings.has(setting) && !decided.includes(setting)
      ? ` Setting ${setting} does that: with the settings none were lost.`
      : '';
  for (const [what, lost] of lossesByRemedy(bare)) {
    if (typeof what === 'string' || said.has(what.id) || what.explains.some((cause) => left.has(cause)))
      continue;
    advice.push(
      `${ownRan ? 'As it is' : 'Without the settings'}, ${lossText(lost)} ${isOne(lost) ? 'was' : 'were'} lost: ${what.found}. ${what.todo}${doneBy(what)}`,
    );
  }
  for (const what of silentRemedies(bare)) {
    if (said.has(what.id) || what.explains.some((cause) => left.has(cause))) continue;
    advice.push(
      `${ownRan ? 'As it is' : 'Without the settings'}, also: ${what.found}. ${what.todo}${doneBy(what)}`,
    );
  }
  for (const [cause, lost] of lossesByRemedy(bare)) {
    if (typeof cause !== 'string') continue;
    const setting = settingAgainst[cause];
    if (!setting || !settings.has(setting) || left.has(cause) || decided.includes(setting)) continue;
    advice.push(
      ownRan
        ? `Add ${setting}: as it is, ${lossText(lost)} were lost because ${because[cause]}, with the settings none.`
        : `Keep ${setting}: without the settings ${lossText(lost)} were lost because ${because[cause]}, with them none.`,
    );
  }
  return advice;
}

type Lost = Record<LineId, number>;

function lossesByCause(experiments: readonly ExperimentResult[]): [Cause, Lost][] {
  return causes.flatMap((cause) => {
    const lost: Lost = {};
    for (const lane of linesOf(experiments)) {
      const sum = experiments.reduce(
        (value, experiment) => value + (experiment.lanes[lane]?.causes[cause] ?? 0),
        0,
      );
      if (sum > 0) lost[lane] = sum;
    }
    return Object.keys(lost).length > 0 ? [[cause, lost] as [Cause, Lost]] : [];
  });
}

/** By what is to be done about them: a remedy that the facts gave, or else the cause. */
function lossesByRemedy(experiments: readonly ExperimentResult[]): [Cause | Remedy, Lost][] {
  const found = new Map<RemedyId, [Remedy, Lost]>();
  const others: [Cause, Lost][] = [];
  for (const [cause, lost] of lossesByCause(experiments)) {
    const fitting = experiments
      .flatMap(({ remedies = [] }) => remedies)
      .find(({ explains }) => explains.includes(cause));
    if (!fitting) {
      others.push([cause, lost]);
      continue;
    }
    const sum = found.get(fitting.id)?.[1] ?? {};
    for (const [line, number] of Object.entries(lost)) sum[line] = (sum[line] ?? 0) + number;
    found.set(fitting.id, [fitting, sum]);
  }
  return [...found.values(), ...others];
}

/** What fits the facts, too, where another remedy speaks for each of its causes. */
function silentRemedies(experiments: readonly ExperimentResult[]): Remedy[] {
  const speaking = new Set(
    lossesByRemedy(experiments).flatMap(([what]) => (typeof what === 'string' ? [] : [what.id])),
  );
  const silent = new Map<RemedyId, Remedy>();
  for (const { remedies = [] } of experiments)
    for (const one of remedies) if (!speaking.has(one.id) && !silent.has(one.id)) silent.set(one.id, one);
  return [...silent.values()];
}

const isOne = (lost: Lost): boolean =>
  Object.values(lost).reduce<number>((sum, one) => sum + (one ?? 0), 0) === 1;

const lossText = (lost: Lost): string =>
  listed(
    inLineOrder(Object.keys(lost)).flatMap((lane) =>
      lost[lane] ? [`${count(lost[lane])} in lane ${lane}`] : [],
    ),
  );

/** The setting of the hardened variant that acts on a cause. */
const settingAgainst: Readonly<Partial<Record<Cause, string>>> = {
  'routed-before-listening': 'readinessProbe',
  'routed-after-stop': 'preStop',
  'killed-in-flight': 'gracefulShutdown',
  'kept-connection-cut': 'gracefulShutdown',
  'no-endpoint': 'surge',
};

/** How a server of these lines' protocols tells clients to leave. */
function farewell(lost: Lost): string {
  const ways = new Set(
    inLineOrder(Object.keys(lost)).map((line) => {
      const protocol = parseLineId(line)?.protocol;
      if (protocol === 'http2' || protocol === 'grpc')
        return 'send GOAWAY and answer the streams that are under way';
      if (protocol === 'websocket') return 'send a close frame (1001)';
      if (protocol === 'tcp') return 'tell clients in the protocol’s own way to leave';
      return 'answer each request with Connection: close';
    }),
  );
  return listed([...ways]);
}

function remedy(
  cause: Cause,
  settings: ReadonlySet<string>,
  experiments: readonly ExperimentResult[],
  lost: Lost,
): string {
  switch (cause) {
    case 'routed-before-listening':
      return settings.has('readinessProbe')
        ? 'pods are called ready before they can serve. Let the readinessProbe ask the port and path that serve the traffic.'
        : 'add a readinessProbe on the port and path that serve the traffic, so that no pod gets connections before it listens.';
    case 'routed-after-stop':
      return settings.has('preStop')
        ? `the routing lags longer than the preStop sleep lasts${lagText(experiments)}. Lengthen the sleep, and the grace period with it.`
        : `add a preStop sleep, so that a pod goes on serving until the routing has forgotten it${lagText(experiments)}.`;
    case 'killed-in-flight':
      return 'the app ends with requests under way. On SIGTERM let it finish them before it exits, within the grace period.';
    case 'kept-connection-cut':
      return `the app closes kept connections that clients still use. After SIGTERM go on serving, ${farewell(lost)}, and close a connection only after that.`;
    case 'no-endpoint':
      return settings.has('surge')
        ? 'for a while no pod was ready at all. Run more replicas, and look at why none was.'
        : 'for a while no pod was ready at all. Roll with maxUnavailable 0 and a surge, with at least two replicas.';
    case 'app-error':
      return 'the app answers with errors while it starts or stops. Let it report ready only when it can answer, and serve until its last request.';
    case 'grace-exceeded':
      return 'pods are killed because they do not end within the grace period. Raise terminationGracePeriodSeconds above preStop plus the longest request.';
    case 'node-event':
      return 'kubelet or node took pods down (see the facts): liveness probes that are too strict, memory limits or the node itself.';
    case 'harness-noise':
      return 'the control target lost connections at the same time. Run again on a less busy machine.';
    case 'unknown':
      return 'the recorded facts do not say why. The rows of the journal are listed with the losses.';
  }
}

/** Longest measured time from a pod's deletion to the last new connection that it answered. */
function lagText(experiments: readonly ExperimentResult[]): string {
  const lags = experiments
    .map((experiment) => experiment.measures.lastNewConnectionAfterDeletionMsMax)
    .filter((value) => typeof value === 'number');
  return lags.length > 0
    ? ` (new connections came up to ${duration(Math.max(...lags))} after the deletion)`
    : '';
}
