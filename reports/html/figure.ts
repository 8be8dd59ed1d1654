// The time line of one experiment: steps, lanes, ready pods and every pod's life under one another on one clock.
// The drawing is stretched to any width (times are its x units), so all text stands beside it as HTML and stays legible.
import type { Outcome } from '../../harness/model/load.ts';
import { lostOutcomes } from '../../harness/model/load.ts';
import { at, clip, count, counted, duration, listed } from '../../harness/words/figures.ts';
import { lineWords, outcomeWords } from '../../harness/words/names.ts';
import { type Content, html, type Markup } from './markup.ts';
import type {
  LaneSeries,
  NodeLane,
  PodLane,
  PodShares,
  QueuePoint,
  StreamComings,
  Timeline,
} from './types.ts';

interface FigureOptions {
  readonly id: string;
  readonly title: string;
  /** The same for all figures that stand under one another. */
  readonly toMs: number;
  /** Figures with the same group zoom together. */
  readonly group: string;
}

const height = {
  axis: 22,
  label: 17,
  lane: 54,
  slowest: 24,
  shares: 64,
  comings: 30,
  ready: 34,
  queue: 44,
  node: 26,
  pod: 32,
  events: 18,
  gap: 6,
} as const;

export function figureOf(timeline: Timeline, options: FigureOptions): Markup {
  const { toMs } = options;
  const rows = new Rows(toMs, timeline.toMs);
  axis(rows, toMs);
  steps(rows, timeline, toMs);
  const lanes = timeline.lanes.filter((lane) => !lane.control || lane.totals.lost > 0);
  for (const lane of lanes) laneRow(rows, lane);
  for (const lane of lanes.filter((series) => !series.control)) slowestRow(rows, lane);
  for (const { stream, comings } of lanes) if (comings) comingsRow(rows, stream, comings);
  for (const { stream, shares } of lanes) if (shares) sharesRow(rows, stream, shares);
  const colours = coloursOf(lanes);
  if (timeline.ready.length > 0) readyRow(rows, timeline);
  if (timeline.queue.length > 0) queueRow(rows, timeline.queue);
  // On one node there is nothing to compare.
  if (timeline.nodes.length > 1) nodeRows(rows, timeline.nodes);
  for (const pod of timeline.pods) podRow(rows, pod, lanes, colours.get(pod.name));
  if (timeline.events.length > 0) eventRow(rows, timeline);
  marksBehind(rows, timeline, toMs);
  if (timeline.toMs < toMs * 0.97) {
    rows.behind.push(
      html`<path class="after" d="M${timeline.toMs} ${height.axis}H${toMs}V${rows.height}H${timeline.toMs}z"/>`,
    );
    rows.text('after-end', timeline.toMs, height.axis + 2, 'load ended');
  }

  const titleId = `${options.id}-title`;
  const descId = `${options.id}-desc`;
  return html`<div class="tl" id="${options.id}" data-group="${options.group}" data-to="${toMs}">
<div class="tl-scroll" role="region" aria-label="${options.title}, scrollable" tabindex="0"><div class="tl-grid" style="height:${rows.height}px">
<div class="tl-labels">${rows.labels}</div>
<div class="tl-plot"><svg role="img" aria-labelledby="${titleId} ${descId}" viewBox="0 0 ${toMs} ${rows.height}" preserveAspectRatio="none" height="${rows.height}"><title id="${titleId}">${options.title}</title><desc id="${descId}">${describe(timeline)}</desc>${rows.behind}${rows.shapes}</svg><div class="tl-texts" aria-hidden="true">${rows.texts}</div></div>
</div></div></div>`;
}

/** The figure in words, for those who cannot see it. */
function describe(timeline: Timeline): string {
  const parts = [`Time line from 0 to ${at(timeline.toMs)} after the load’s start.`];
  const acted = timeline.steps.filter((step) => !step.aside);
  if (acted.length > 0) {
    parts.push(`Steps: ${listed(acted.map((step) => `${step.label} at ${at(step.fromMs)}`))}.`);
  }
  for (const lane of timeline.lanes.filter((series) => !series.control)) {
    const lossy = Object.values(lane.lost).flatMap((entries) => entries.map(([bucket]) => bucket));
    parts.push(
      lossy.length === 0
        ? `Lane ${lane.stream} lost nothing.`
        : `Lane ${lane.stream} lost ${count(lane.totals.lost)} between ${at(Math.min(...lossy) * lane.bucketMs)} and ${at((Math.max(...lossy) + 1) * lane.bucketMs)}.`,
    );
  }
  for (const { stream, comings } of timeline.lanes)
    if (comings)
      parts.push(
        `Of ${count(comings.streams)} streams of ${stream} at most ${count(Math.max(0, ...comings.back))} were opened again in one second.`,
      );
  for (const { stream, shares } of timeline.lanes)
    if (shares)
      parts.push(
        `Answers of ${stream} by pod: ${listed(shares.pods.map(({ name, answers }) => `${podLabel(name)} ${count(answers.reduce((sum, one) => sum + one, 0))}`))}.`,
      );
  const fullest = timeline.queue.toSorted((a, b) => b.backlog - a.backlog)[0];
  if (fullest) {
    parts.push(`Of the queue’s items at most ${count(fullest.backlog)} waited, at ${at(fullest.atMs)}.`);
  }
  if (timeline.nodes.length > 1) {
    const last = timeline.nodes.map(({ name, counts }) => `${name} ${stayingIn(counts.at(-1))}`);
    parts.push(`Pods per node at the end: ${last.join(', ')}.`);
  }
  parts.push(
    `${counted(timeline.pods.length, 'pod')}; the rows behind the figure stand in the tables below it.`,
  );
  return parts.join(' ');
}

/** Which colours and shapes mean what; once per page section. */
export function legend(outcomes: readonly Outcome[]): Markup {
  const key = (name: string, text: string) =>
    html`<li><svg class="key" aria-hidden="true" viewBox="0 0 14 10" width="14" height="10"><rect class="${name}" width="14" height="10"/></svg>${text}</li>`;
  const dot = (name: string, text: string) =>
    html`<li><svg class="key" aria-hidden="true" viewBox="0 0 14 10" width="14" height="10"><path class="mark ${name}" d="M7 5h0"/></svg>${text}</li>`;
  return html`<ul class="legend" aria-label="Legend">
${key('a-ok', 'answered')}${outcomes.map((outcome) => key(`o-${outcome}`, outcomeWords[outcome]))}
${key('p-pending', 'pod pending')}${key('p-starting', 'starting')}${key('p-not-ready', 'running, not ready')}${key('p-ready', 'ready')}${key('p-terminating', 'terminating')}
${key('n-0', 'pods on a node, first version')}${key('n-1', 'second')}${key('n-2', 'third (and on from the first)')}
${key('e-ready', 'Service sends connections here')}${key('e-serving', 'endpoint terminating')}${key('l-on', 'app listens')}${key('exposed-key', 'connections sent, app not listening')}
${dot('m-sigterm', 'SIGTERM')}${dot('m-closed', 'port closed')}
</ul>`;
}

/** Collects shapes, labels and texts while rows are added from top to bottom. */
class Rows {
  height = 0;
  readonly toMs: number;
  /** Where this experiment's recording ends; another one on the same scale may be longer. */
  readonly endMs: number;
  readonly labels: Markup[] = [];
  readonly shapes: Markup[] = [];
  readonly behind: Markup[] = [];
  readonly texts: Markup[] = [];

  constructor(toMs: number, endMs: number) {
    this.toMs = toMs;
    this.endMs = endMs;
  }

  /** Adds a row and returns the y of its top. */
  add(heightPx: number, label: Content, name: string): number {
    const top = this.height;
    this.labels.push(html`<div class="tl-label ${name}" style="height:${heightPx}px">${label}</div>`);
    this.height += heightPx;
    return top;
  }

  /** Rectangles of one look as one path: [from ms, to ms, y, height]. */
  boxes(look: string, boxes: readonly (readonly [number, number, number, number])[]): void {
    const d = boxes
      .map(
        ([from, to, y, h]) =>
          [Math.max(0, Math.round(from)), Math.min(this.toMs, Math.round(to)), y, h] as const,
      )
      .filter(([from, to, , h]) => to > from && h > 0)
      .map(([from, to, y, h]) => `M${from} ${short(y)}h${to - from}v${short(h)}H${from}z`)
      .join('');
    if (d) this.shapes.push(html`<path class="${look}" d="${d}"/>`);
  }

  line(look: string, d: string): void {
    if (d) this.shapes.push(html`<path class="line ${look}" d="${d}"/>`);
  }

  /** Round or square dots that keep their shape however the drawing is stretched (lines of no length). */
  marks(look: string, points: readonly (readonly [number, number])[]): void {
    const d = points.map(([ms, y]) => `M${Math.round(ms)} ${short(y)}h0`).join('');
    if (d) this.shapes.push(html`<path class="mark ${look}" d="${d}"/>`);
  }

  text(look: string, ms: number, top: number, text: string): void {
    const left = Math.round((ms / this.toMs) * 10_000) / 100;
    // Texts near the right edge grow to the left.
    const end = left > 82 ? ' end' : '';
    this.texts.push(
      html`<span class="${look}${end}" data-ms="${Math.round(ms)}" style="left:${left}%;top:${top}px">${text}</span>`,
    );
  }
}

/** Half pixels: exact enough to see, short enough to keep the page small. */
const short = (value: number): number => Math.round(value * 2) / 2;

function axis(rows: Rows, toMs: number): void {
  const top = rows.add(height.axis, 'seconds', 'tl-small');
  const every = tickMs(toMs);
  const lines: string[] = [];
  for (let ms = 0; ms <= toMs; ms += every) {
    if (ms > 0 && ms < toMs) lines.push(`M${ms} 16v9999`);
    if (ms < toMs * 0.985) rows.text('tick', ms, top + 2, tickText(ms, every));
  }
  rows.behind.push(html`<path class="line grid" d="${lines.join('')}"/>`);
}

/** A round distance of ticks: about ten of them on the whole. */
function tickMs(spanMs: number): number {
  for (let scale = 1; ; scale *= 10) {
    for (const step of [1, 2, 5]) if (step * scale * 12 >= spanMs) return Math.max(1, step * scale);
  }
}

const tickText = (ms: number, every: number): string =>
  every >= 1000 ? String(ms / 1000) : (ms / 1000).toFixed(every >= 100 ? 1 : 2);

const milestoneWords: Readonly<Record<string, string>> = {
  'rollout-complete': 'rollout complete',
  'no-terminating': 'last old pod gone',
};

/** Labels of steps and milestones, on as many levels as they need so that none covers another. */
function steps(rows: Rows, timeline: Timeline, toMs: number): void {
  const marks = [
    ...timeline.steps
      .filter((step) => !step.aside || step.failed)
      .map((step) => ({
        ms: step.fromMs,
        text: `▸ ${clip(step.label, 40)}${step.failed ? ' (failed)' : ''}`,
        look: step.failed ? 'step failed' : 'step',
      })),
    ...timeline.milestones
      .filter((mark) => milestoneWords[mark.name])
      .map((mark) => ({ ms: mark.atMs, text: `${milestoneWords[mark.name]} ◂`, look: 'milestone' })),
  ]
    .filter((mark) => mark.ms <= toMs)
    .toSorted((a, b) => a.ms - b.ms)
    .slice(0, 40);
  // 720 px is the narrowest drawing; 6.6 px is a wide character of its small text. Milestones end at their time.
  const levels: number[] = [];
  const placed = marks.map((mark) => {
    const widthMs = ((mark.text.length * 6.6 + 8) / 720) * toMs;
    const endsAtMark = mark.look === 'milestone' || mark.ms > toMs * 0.82;
    const from = endsAtMark ? mark.ms - widthMs : mark.ms;
    let level = levels.findIndex((until) => until <= from);
    if (level < 0) level = Math.min(levels.length, 5);
    levels[level] = from + widthMs;
    return { ...mark, level, endsAtMark };
  });
  const rowHeight = Math.max(1, levels.length) * height.label + height.gap;
  const top = rows.add(rowHeight, 'steps', '');
  for (const mark of placed) {
    const look = `${mark.look}${mark.endsAtMark && mark.ms <= toMs * 0.82 ? ' end' : ''}`;
    rows.text(look, mark.ms, top + mark.level * height.label, mark.text);
  }
}

/** Lines of steps and milestones through all rows, behind everything else. */
function marksBehind(rows: Rows, timeline: Timeline, toMs: number): void {
  const line = (times: readonly number[]) =>
    times
      .filter((ms) => ms >= 0 && ms <= toMs)
      .map((ms) => `M${ms} ${height.axis}V${rows.height}`)
      .join('');
  const acted = line(timeline.steps.filter((step) => !step.aside).map((step) => step.fromMs));
  const reached = line(
    timeline.milestones.filter((mark) => milestoneWords[mark.name]).map((mark) => mark.atMs),
  );
  if (acted) rows.behind.push(html`<path class="line at-step" d="${acted}"/>`);
  if (reached) rows.behind.push(html`<path class="line at-milestone" d="${reached}"/>`);
}

/** Lost attempts from the bottom up, answered ones pale above them. A single loss is never thinner than 3 px. */
function laneRow(rows: Rows, lane: LaneSeries): void {
  const label = lane.control
    ? html`<b>control target</b><small>${lossText(lane)}</small>`
    : html`<b>lane ${lane.stream}</b><small>${lineWords(lane.stream).title}</small><small class="${lane.totals.lost > 0 ? 'bad' : 'good'}">${lossText(lane)}</small>`;
  const top = rows.add(height.lane + height.gap, label, '');
  const bottom = top + height.lane;
  const lostPerBucket = new Map<number, number>();
  for (const entries of Object.values(lane.lost)) {
    for (const [i, n] of entries) lostPerBucket.set(i, (lostPerBucket.get(i) ?? 0) + n);
  }
  const most = Math.max(1, ...lane.ok.map((ok, i) => ok + (lane.shed[i] ?? 0) + (lostPerBucket.get(i) ?? 0)));
  const scale = (height.lane - 4) / most;
  const floor = new Map<number, number>();
  for (const outcome of lostOutcomes) {
    const entries = lane.lost[outcome];
    if (!entries) continue;
    rows.boxes(
      `o-${outcome}`,
      entries.map(([i, n]) => {
        const h = Math.max(3, n * scale);
        const base = floor.get(i) ?? 0;
        floor.set(i, base + h);
        return [i * lane.bucketMs, (i + 1) * lane.bucketMs, bottom - base - h, h] as const;
      }),
    );
  }
  rows.boxes(
    'a-ok',
    runs(lane.ok, lane.bucketMs, (ok, i) => [bottom - (floor.get(i) ?? 0) - ok * scale, ok * scale]),
  );
  rows.boxes(
    'a-shed',
    lane.shed.flatMap((shed, i) =>
      shed > 0 ? [[i * lane.bucketMs, (i + 1) * lane.bucketMs, top, Math.max(2, shed * scale)] as const] : [],
    ),
  );
  rows.line('base', `M0 ${bottom}H${rows.endMs}`);
}

const lossText = (lane: LaneSeries): string =>
  lane.totals.lost > 0 ? `${count(lane.totals.lost)} lost` : 'none lost';

/** Neighbouring buckets of the same height as one box, which keeps the drawing small. */
function runs(
  values: readonly number[],
  bucketMs: number,
  place: (value: number, i: number) => readonly [number, number],
): readonly (readonly [number, number, number, number])[] {
  const boxes: [number, number, number, number][] = [];
  values.forEach((value, i) => {
    const [y, h] = place(value, i);
    const last = boxes.at(-1);
    if (last && last[1] === i * bucketMs && short(last[2]) === short(y) && short(last[3]) === short(h)) {
      last[1] = (i + 1) * bucketMs;
    } else boxes.push([i * bucketMs, (i + 1) * bucketMs, y, h]);
  });
  return boxes;
}

/** Slowest answer per bucket on a logarithmic scale from 1 ms to 10 s. */
function slowestRow(rows: Rows, lane: LaneSeries): void {
  const slowest = Math.max(0, ...lane.slowestMs);
  const top = rows.add(
    height.slowest + height.gap,
    html`<small>slowest, ${lane.stream}: ${duration(slowest)}</small>`,
    'tl-small',
  );
  const y = (ms: number) =>
    Math.round(top + height.slowest * (1 - Math.min(1, Math.log10(Math.max(1, ms)) / 4)));
  let d = '';
  let last: number | undefined;
  lane.slowestMs.forEach((ms, i) => {
    const x = Math.round(i * lane.bucketMs);
    if (ms === 0) {
      if (last !== undefined) d += `H${x}`;
      last = undefined;
      return;
    }
    if (y(ms) === last) return;
    d += last === undefined ? `M${x} ${y(ms)}` : `H${x}V${y(ms)}`;
    last = y(ms);
  });
  if (last !== undefined) d += `H${Math.min(rows.endMs, lane.slowestMs.length * lane.bucketMs)}`;
  rows.line('slowest', d);
}

/** As many colours as pods can be told apart by; after the last the first comes again. */
const shareColours = 8;

/** The same colour in every row of shares and beside the pod's own. */
function coloursOf(lanes: readonly LaneSeries[]): ReadonlyMap<string, number> {
  const names = new Set(lanes.flatMap(({ shares }) => shares?.pods.map(({ name }) => name) ?? []));
  return new Map([...names].map((name, i) => [name, i % shareColours]));
}

/** Whose the answers were, as shares of each moment: the first pods at the bottom, those that came later above them. */
function sharesRow(rows: Rows, stream: string, { bucketMs, pods }: PodShares): void {
  const top = rows.add(
    height.shares + height.gap,
    html`<b>share per pod</b><small>${stream}</small><small>colours as at the pods</small>`,
    '',
  );
  const bottom = top + height.shares;
  const totals = (pods[0]?.answers ?? []).map((_, i) =>
    pods.reduce((sum, { answers }) => sum + (answers[i] ?? 0), 0),
  );
  const below = totals.map(() => 0);
  for (const [index, { answers }] of pods.entries()) {
    rows.boxes(
      `s-${index % shareColours}`,
      runs(answers, bucketMs, (value, i) => {
        const h = totals[i] ? (value / totals[i]) * height.shares : 0;
        below[i] = (below[i] ?? 0) + h;
        return [bottom - (below[i] ?? 0), h];
      }),
    );
  }
  rows.line('base', `M0 ${bottom}H${rows.endMs}`);
}

/** Streams that ended, and above them those that were opened again, second by second, on one scale. */
function comingsRow(rows: Rows, stream: string, { streams, ended, back }: StreamComings): void {
  const most = Math.max(1, ...ended, ...back);
  const top = rows.add(
    2 * height.comings + height.gap,
    html`<b>${count(streams)} streams</b><small title="${stream}"><i class="swatch c-back" aria-hidden="true"></i>back: up to ${count(Math.max(0, ...back))}/s</small><small><i class="swatch c-ended" aria-hidden="true"></i>ended: up to ${count(Math.max(0, ...ended))}/s</small>`,
    '',
  );
  const middle = top + height.comings;
  const scale = (height.comings - 4) / most;
  const bars = (values: readonly number[], place: (h: number) => number) =>
    values.flatMap((value, i) => {
      const h = Math.max(2, value * scale);
      return value > 0 ? [[i * 1000, (i + 1) * 1000, place(h), h] as const] : [];
    });
  rows.boxes(
    'c-back',
    bars(back, (h) => middle - h),
  );
  rows.boxes(
    'c-ended',
    bars(ended, () => middle + 1),
  );
  rows.line('base', `M0 ${middle}H${rows.endMs}`);
}

function readyRow(rows: Rows, timeline: Timeline): void {
  const lowest = Math.min(...timeline.ready.map((point) => point.ready));
  const most = Math.max(1, ...timeline.ready.map((point) => Math.max(point.ready, point.wanted ?? 0)));
  const wanted = timeline.ready.at(-1)!.wanted;
  const top = rows.add(
    height.ready + height.gap,
    html`<b>ready pods</b><small>${wanted !== undefined && `wanted ${wanted}, `}lowest ${lowest}</small>`,
    '',
  );
  const bottom = top + height.ready;
  const scale = (height.ready - 4) / most;
  const spans = timeline.ready.map((point, i) => ({
    ...point,
    untilMs: timeline.ready[i + 1]?.atMs ?? timeline.toMs,
  }));
  rows.boxes(
    'r-ready',
    spans.map((span) => [span.atMs, span.untilMs, bottom - span.ready * scale, span.ready * scale]),
  );
  const known = spans.flatMap((span) =>
    span.wanted === undefined ? [] : [{ ...span, wanted: span.wanted, y: bottom - span.wanted * scale }],
  );
  rows.boxes(
    'r-missing',
    known.map((span) => [span.atMs, span.untilMs, span.y, Math.max(0, span.wanted - span.ready) * scale]),
  );
  rows.line(
    'wanted',
    known.map((span, i) => `${i === 0 ? 'M' : 'L'}${span.atMs} ${short(span.y)}H${span.untilMs}`).join(''),
  );
}

/**
 * Items that wait, from the bottom up, on a scale of at least a second's work, so that a handful looks like one; and a
 * line for the items finished per second.
 */
function queueRow(rows: Rows, queue: readonly QueuePoint[]): void {
  const most = Math.max(0, ...queue.map((point) => point.backlog));
  const fastest = Math.max(1, ...queue.map((point) => point.perSecond ?? 0));
  const top = rows.add(
    height.queue + height.gap,
    html`<b>queue</b><small><i class="swatch q-backlog" aria-hidden="true"></i>waiting, at most ${count(most)}</small><small><i class="swatch q-rate" aria-hidden="true"></i>done/s, at most ${count(fastest)}</small>`,
    '',
  );
  const bottom = top + height.queue;
  const scale = (of: number) => (height.queue - 4) / of;
  rows.boxes(
    'q-backlog',
    queue.map(({ atMs, backlog }, i) => {
      const untilMs = queue[i + 1]?.atMs ?? rows.endMs;
      const h = backlog * scale(Math.max(most, fastest));
      return [atMs, untilMs, bottom - h, h] as const;
    }),
  );
  rows.line('base', `M0 ${bottom}H${rows.endMs}`);
  const points = queue.flatMap(({ atMs, perSecond }) =>
    perSecond === undefined ? [] : [`${atMs} ${short(bottom - perSecond * scale(fastest))}`],
  );
  if (points.length > 0) rows.line('q-rate', `M${points.join('L')}`);
}

const stayingIn = (count: NodeLane['counts'][number] | undefined): number =>
  (count?.staying ?? []).reduce((sum, value) => sum + value, 0);

/** One row per node on one scale: what stays from the bottom up, oldest version first, what terminates on top. */
function nodeRows(rows: Rows, nodes: readonly NodeLane[]): void {
  const all = (count: NodeLane['counts'][number]) => stayingIn(count) + count.terminating;
  const most = Math.max(1, ...nodes.flatMap(({ counts }) => counts.map(all)));
  const scale = (height.node - 2) / most;
  for (const { name, counts } of nodes) {
    const highest = Math.max(0, ...counts.map(stayingIn));
    const top = rows.add(
      height.node + height.gap,
      html`<span class="pod">${name}</span><small>${counted(highest, 'pod')} at most, ${stayingIn(counts.at(-1))} at the end</small>`,
      'tl-small',
    );
    const bottom = top + height.node;
    const boxes = new Map<string, [number, number, number, number][]>();
    for (const { fromMs, toMs, staying, terminating } of counts) {
      let below = 0;
      const stack = (look: string, value: number) => {
        below += value;
        const box = [fromMs, toMs, bottom - below * scale, value * scale] as [number, number, number, number];
        if (value > 0) boxes.set(look, [...(boxes.get(look) ?? []), box]);
      };
      for (const [version, value] of staying.entries()) stack(`n-${version % 3}`, value);
      stack('p-terminating', terminating);
    }
    for (const [look, list] of boxes) rows.boxes(look, list);
    rows.line('base', `M0 ${bottom}H${rows.endMs}`);
  }
}

function podRow(rows: Rows, pod: PodLane, lanes: readonly LaneSeries[], colour: number | undefined): void {
  const version = pod.image && clip(pod.image.split(/[:@]/).at(-1)!, 10);
  const facts = [version, pod.node, pod.restarts > 0 ? counted(pod.restarts, 'restart') : undefined];
  const top = rows.add(
    height.pod,
    html`<span class="pod" title="${pod.name}">${colour !== undefined && html`<i class="swatch s-${colour}" aria-hidden="true"></i>`}${podLabel(pod.name)}</span><small>${facts.filter(Boolean).join(' · ')}</small>`,
    `tl-pod gen-${pod.generation % 2}`,
  );
  for (const state of ['pending', 'starting', 'not-ready', 'ready', 'terminating'] as const) {
    rows.boxes(
      `p-${state}`,
      pod.states.filter((span) => span.state === state).map((span) => [span.fromMs, span.toMs, top + 3, 10]),
    );
  }
  rows.boxes(
    'e-ready',
    pod.endpoint
      .filter((span) => span.state === 'ready')
      .map((span) => [span.fromMs, span.toMs, top + 15, 4]),
  );
  rows.boxes(
    'e-serving',
    pod.endpoint
      .filter((span) => span.state === 'serving' || span.state === 'terminating')
      .map((span) => [span.fromMs, span.toMs, top + 15, 4]),
  );
  rows.boxes(
    'l-on',
    listening(pod, rows.endMs).map(([from, to]) => [from, to, top + 21, 4]),
  );
  rows.boxes(
    'exposed',
    pod.exposed.map((span) => [span.fromMs, span.toMs, top + 14, 12]),
  );
  for (const lane of lanes) {
    const lost = lane.failures.filter((failure) => failure.pod === pod.name);
    const d = [...new Set(lost.map((failure) => Math.round(failure.dueMs / tickEveryMs) * tickEveryMs))]
      .map((ms) => `M${ms} ${top + 27}v4`)
      .join('');
    rows.line('lost-here', d);
  }
  rows.marks(
    'm-sigterm',
    pod.phases.filter((mark) => mark.phase === 'sigterm').map((mark) => [mark.atMs, top + 8]),
  );
  rows.marks(
    'm-closed',
    pod.phases
      .filter((mark) => mark.phase === 'closed' || mark.phase === 'gone')
      .map((mark) => [mark.atMs, top + 23]),
  );
}

/** Lost attempts closer than this share a tick in a pod's row. */
const tickEveryMs = 50;

/** The end of a pod's name tells pods apart, so it is never cut off: "web-7c9f6d5b84-x7k2p" → "web…x7k2p". */
function podLabel(name: string): string {
  const parts = name.split('-');
  return name.length > 20 && parts.length > 2 ? `${clip(parts[0]!, 12)}…${parts.at(-1)!.slice(-6)}` : name;
}

/** Times in which the app listened, as it said itself. Unknown before its first word: an old pod listened already. */
function listening(pod: PodLane, toMs: number): readonly (readonly [number, number])[] {
  const marks = pod.phases.toSorted((a, b) => a.atMs - b.atMs);
  if (marks.length === 0) return [];
  const spans: [number, number][] = [];
  const first = marks[0]!;
  let since: number | undefined = first.phase === 'sigterm' || first.phase === 'closed' ? 0 : undefined;
  for (const mark of marks) {
    if (mark.phase === 'listening') since ??= mark.atMs;
    if (mark.phase === 'closed' || mark.phase === 'gone' || mark.phase === 'starting') {
      if (since !== undefined) spans.push([since, mark.atMs]);
      since = undefined;
    }
  }
  if (since !== undefined) spans.push([since, toMs]);
  return spans;
}

function eventRow(rows: Rows, timeline: Timeline): void {
  const warnings = timeline.events.filter((event) => event.warning).length;
  const top = rows.add(
    height.events,
    html`<small>${counted(timeline.events.length, 'event')}${warnings > 0 ? `, ${counted(warnings, 'warning')}` : ''}</small>`,
    'tl-small',
  );
  const place = (warning: boolean) =>
    timeline.events
      .filter((event) => event.warning === warning)
      .map((event) => [event.atMs, top + 9] as const);
  rows.marks('m-event', place(false));
  rows.marks('m-warning', place(true));
}
