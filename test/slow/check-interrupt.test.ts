// An interrupt ends `rollproof check` at once: in the middle of the work, and while helm renders, which ends with it. What
// the test waits for is CPU time and files, never the clock: a busy machine only makes it longer.
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { inTemporaryFolder, type Running, startRollproof } from '../rollproof.ts';
import { Skipped, suite } from '../suite.ts';

const test = suite('check: interrupts', { timeoutMs: 120_000 });

/** Seconds of CPU that the process has used; undefined: it is gone. */
function cpuSeconds(pid: number): number | undefined {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return undefined;
  }
}

async function until(holds: () => boolean, { ended }: Running): Promise<void> {
  let gone = false;
  void ended.then(() => {
    gone = true;
  });
  while (!holds() && !gone) await sleep(20);
}

test('in the middle of its work: it ends, and nothing is printed', () =>
  inTemporaryFolder(async (folder) => {
    if (process.platform !== 'linux') throw new Skipped('CPU time is read from /proc');
    const file = join(folder, 'much.yaml');
    const one = (index: number) => `apiVersion: apps/v1
kind: Deployment
metadata: {name: w${index}}
spec:
  selector: {matchLabels: {app: w${index}}}
  template:
    metadata: {labels: {app: w${index}}}
    spec: {containers: [{name: w, image: 'w:1', env: [${'{name: A, value: b}, '.repeat(40)}]}]}
`;
    // As much as is read in one call: tens of seconds of work.
    writeFileSync(file, Array.from({ length: 9999 }, (_, index) => one(index)).join('---\n'));
    const running = startRollproof(['check', file]);
    const pid = running.child.pid as number;
    const enough = 6;
    await until(() => (cpuSeconds(pid) ?? enough) >= enough, running);
    running.child.kill('SIGINT');
    const { code, signal, stdout, stderr } = await running.ended;
    assert.ok(code === 130 || signal === 'SIGINT', `ended with ${code ?? signal}: ${stderr}`);
    assert.is(stdout, '');
  }));

test('while a chart is rendered: helm ends, too', () =>
  inTemporaryFolder(async (folder) => {
    const started = join(folder, 'pid');
    mkdirSync(join(folder, 'chart', 'templates'), { recursive: true });
    writeFileSync(join(folder, 'chart', 'Chart.yaml'), 'apiVersion: v2\nname: web\nversion: 0.1.0\n');
    writeFileSync(
      join(folder, 'helm'),
      `#!/bin/sh\necho $$ > '${started}.part'\nmv '${started}.part' '${started}'\nexec sleep 600\n`,
    );
    chmodSync(join(folder, 'helm'), 0o755);
    const running = startRollproof(['check', join(folder, 'chart')], {
      PATH: [folder, process.env.PATH].join(delimiter),
    });
    await until(() => existsSync(started), running);
    running.child.kill('SIGINT');
    const { code, stderr } = await running.ended;
    assert.is(code, 130, stderr);
    const helm = Number(readFileSync(started, 'utf8'));
    assert.throws(() => process.kill(helm, 0), /ESRCH/);
  }));

test.run();
