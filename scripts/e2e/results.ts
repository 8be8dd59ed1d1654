// What was seen of each test, over several runs of `npm run e2e` when they keep it in one file: the newest outcome of a test
// counts, so that one that failed because the machine was busy can be run again alone. And the table that is made of it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { UsageError } from '../../harness/model/errors.ts';
import { groups, reasonFor } from './groups.ts';
import type { ContentType, E2eCase } from './program.ts';

/** Of pods: with network and files of their own, or processes of this machine. */
export type Isolation = 'auto' | 'none';

export interface Seen extends E2eCase {
  readonly contentType: ContentType;
  readonly isolation: Isolation;
}

const isolationWords: Readonly<Record<Isolation, string>> = { auto: 'isolated', none: 'processes' };

export function readSeen(file: string | undefined): Seen[] {
  if (file === undefined || !existsSync(file)) return [];
  try {
    const { seen } = JSON.parse(readFileSync(file, 'utf8')) as { seen: Seen[] };
    if (Array.isArray(seen)) return seen;
  } catch {
    // The same as any other content.
  }
  throw new UsageError(`npm run e2e: --results: ${file} is no file of earlier results; name another one.`);
}

/** What was seen before, with the new in its place. */
export function merged(before: readonly Seen[], now: readonly Seen[]): Seen[] {
  const key = ({ name, contentType, isolation }: Seen) => `${isolation} ${contentType} ${name}`;
  return [...new Map([...before, ...now].map((each) => [key(each), each])).values()];
}

export function writeSeen(file: string, seen: readonly Seen[]): void {
  writeFileSync(file, `${JSON.stringify({ seen }, undefined, 1)}\n`);
}

/** A row for each group, content type and isolation; then what does not pass, with its reason. */
export function tableOf(seen: readonly Seen[]): string {
  const lines = ['| group | pods | content type | passed | minutes |', '|---|---|---|---|---|'];
  for (const isolation of ['auto', 'none'] as const) {
    for (const { name, focus } of groups) {
      const pattern = new RegExp(focus);
      for (const contentType of ['protobuf', 'json'] as const) {
        const cases = seen.filter(
          (each) =>
            each.isolation === isolation && each.contentType === contentType && pattern.test(each.name),
        );
        if (cases.length === 0) continue;
        const passed = cases.filter(({ outcome }) => outcome === 'passed').length;
        const minutes = cases.reduce((sum, { seconds }) => sum + seconds, 0) / 60;
        lines.push(
          `| ${name} | ${isolationWords[isolation]} | ${contentType} | ${passed} of ${cases.length} | ${minutes.toFixed(1)} |`,
        );
      }
    }
  }
  const failed = seen.filter(({ outcome }) => outcome === 'failed');
  if (failed.length === 0) return lines.join('\n');
  lines.push('', 'Those that do not pass:', '', '| reason | pods | tests |', '|---|---|---|');
  const byReason = new Map<string, Set<string>>();
  for (const { name, isolation, message = '' } of failed) {
    const reason = reasonFor(name, isolation, message) ?? `not known yet: ${message}`;
    const key = `| ${cell(reason)} | ${isolationWords[isolation]} |`;
    byReason.set(key, (byReason.get(key) ?? new Set()).add(cell(name.replace(/( \[[^\]]*\])+$/, ''))));
  }
  for (const [key, tests] of byReason) lines.push(`${key} ${tests.size}: ${[...tests].sort().join('; ')} |`);
  return lines.join('\n');
}

const cell = (text: string): string => text.replaceAll('|', '\\|').slice(0, 240);
