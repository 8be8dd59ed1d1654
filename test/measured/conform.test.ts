// Recordings of a real cluster, one per family, replayed on the embedded one: same sizes, states, conditions, events.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import * as assert from 'uvu/assert';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('conform', { timeoutMs: 380_000 });
const folder = join(root, 'test', 'data', 'traces');
const files = readdirSync(folder).filter((name) => name.endsWith('.jsonl'));

test(`${files.length} recordings of a real cluster are replayed alike`, async () => {
  assert.ok(files.length >= 10, `${files.length} recordings in ${folder}`);
  const paths = files.map((file) => join(folder, file));
  // Replays are in real time: what differed while six ran on this machine has to match with less beside it. A machine
  // that is still busy then (timers over 200 ms late) makes times late, nothing else.
  let left = paths;
  const outputs: string[] = [];
  for (const jobs of [6, 2, 1]) {
    if (left.length === 0) break;
    const output = await conform(left, jobs);
    outputs.push(output);
    left = left.filter((file) => !matched(output, file) && !(jobs === 1 && onlyLate(output, file)));
  }
  assert.equal(left, [], outputs.join('\n'));
});

test('a recording in which something else happened does not match', async () => {
  const place = mkdtempSync(join(tmpdir(), 'rollproof-conform-'));
  try {
    const changed = join(place, 'pod-delete.jsonl');
    const text = readFileSync(join(folder, 'pod-delete.jsonl'), 'utf8');
    writeFileSync(changed, text.replaceAll('Stopping container app', 'Stopping container web'));
    const out = await conform([changed], 1);
    assert.match(out, /FAIL {2}pod-delete/);
    assert.match(out, /events: recorded .*Stopping container web.*, replayed .*Stopping container app/);
  } finally {
    rmSync(place, { recursive: true, force: true });
  }
});

function conform(paths: readonly string[], jobs: number): Promise<string> {
  const args = [join(root, 'scripts', 'start.mjs'), join(root, 'scripts', 'conform.ts')];
  const child = spawn(process.execPath, [...args, ...paths, '--jobs', String(jobs), '--kubectl', 'own'], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => (output += chunk));
  child.stderr.on('data', (chunk) => (output += chunk));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', () => resolve(output));
  });
}

function matched(output: string, path: string): boolean {
  return output.split('\n').some((line) => line.startsWith(`ok    ${basename(path, '.jsonl')} `));
}

function onlyLate(output: string, path: string): boolean {
  const row = new RegExp(
    `^${basename(path, '.jsonl')} +\\d+/\\d+ +times of \\d+ milestones: .*\\n(?: +(?!also ).*\\n)* +this machine was busy: `,
    'm',
  );
  return row.test(output);
}

test.run();
