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

// It waits for a minute and a half, most of that doing nothing: the others take their turns beside it.
const longest = join(folder, 'crash-loop.jsonl');
const long = conform([longest], 1);

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

test(`${files.length} recordings of a real cluster are replayed alike`, async () => {
  assert.ok(files.length >= 10, `${files.length} recordings in ${folder}`);
  const outputs: string[] = [];
  // Replays are in real time: what differed while six ran on this machine has to match with less beside it. A machine
  // that is still busy then (timers over 200 ms late) makes times late, nothing else.
  const replayed = async (paths: readonly string[], jobs: number): Promise<readonly string[]> => {
    if (paths.length === 0) return paths;
    const output = await conform(paths, jobs);
    outputs.push(output);
    return paths.filter((file) => !matched(output, file) && !(jobs === 1 && onlyLate(output, file)));
  };
  const others = files.map((file) => join(folder, file)).filter((file) => file !== longest);
  const differed = await replayed(await replayed(others, 5), 2);
  const output = await long;
  outputs.push(output);
  // With nothing beside it.
  const left = await replayed([...differed, ...(matched(output, longest) ? [] : [longest])], 1);
  assert.equal(left, [], outputs.join('\n'));
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
