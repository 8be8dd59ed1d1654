// Completion indexes of an Indexed Job. Source: pkg/controller/job/indexed_job_utils.go.
import type { Job, Pod } from '../../api/types.ts';

export const indexKey = 'batch.kubernetes.io/job-completion-index';

export function isIndexed(job: Job): boolean {
  return job.spec?.completionMode === 'Indexed';
}

/** undefined: none, or not a number below completions. */
export function indexOf(pod: Pod, completions: number): number | undefined {
  const text = pod.metadata.annotations?.[indexKey];
  if (text === undefined || !/^\d+$/.test(text)) return undefined;
  const index = Number(text);
  return index < completions ? index : undefined;
}

/** "0,2-4" → {0, 2, 3, 4} */
export function parseIndexes(text: string | undefined): Set<number> {
  const indexes = new Set<number>();
  for (const part of text ? text.split(',') : []) {
    const [first = 0, last = first] = part.split('-').map(Number);
    for (let index = first; index <= last; index++) indexes.add(index);
  }
  return indexes;
}

/** {0, 2, 3, 4, 6, 7} → "0,2-4,6,7": three in a row and more become a range. */
export function formatIndexes(indexes: Iterable<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let start = 0; start < sorted.length; ) {
    let end = start;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end++;
    if (end - start >= 2) parts.push(`${sorted[start]}-${sorted[end]}`);
    else for (let each = start; each <= end; each++) parts.push(String(sorted[each]));
    start = end + 1;
  }
  return parts.join(',');
}

/** The lowest indexes that are neither done nor taken. */
export function missingIndexes(count: number, completions: number, taken: ReadonlySet<number>): number[] {
  const missing: number[] = [];
  for (let index = 0; index < completions && missing.length < count; index++) {
    if (!taken.has(index)) missing.push(index);
  }
  return missing;
}

/** Marks a pod draft as the one for an index: annotation, label, host name and JOB_COMPLETION_INDEX. */
export function assignIndex(
  draft: {
    metadata: {
      generateName?: string;
      labels?: Record<string, string>;
      annotations?: Record<string, string>;
    };
    spec?: Pod['spec'];
  },
  jobName: string,
  index: number,
): void {
  const { metadata, spec } = draft;
  metadata.generateName = `${jobName}-${index}-`;
  metadata.labels = { ...metadata.labels, [indexKey]: String(index) };
  metadata.annotations = { ...metadata.annotations, [indexKey]: String(index) };
  if (!spec) return;
  spec.hostname = `${jobName}-${index}`;
  for (const container of [...(spec.initContainers ?? []), ...spec.containers]) {
    if (container.env?.some(({ name }) => name === 'JOB_COMPLETION_INDEX')) continue;
    container.env = [
      ...(container.env ?? []),
      {
        name: 'JOB_COMPLETION_INDEX',
        valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath: `metadata.labels['${indexKey}']` } },
      },
    ];
  }
}
