// A load agent that something else on the machine holds up: measured once more, told, and never green without it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { needsLinux, podProcesses } from '../embedded-pods.ts';
import { inTemporaryFolder, type Running, readResults, rollproof, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('verify: measure again', { timeoutMs: 180_000, skip: needsLinux });

const once = ['verify', '--cluster', 'embedded', '--scenario', 'scale-up', '--variants', 'hardened'];
const verify = [...once, '--rate', '50'];

/** So long that more than one request in a hundred is later than the limit of 250 ms. */
const HELD_MS = 1600;

async function holdUpTheAgent(run: Running): Promise<void> {
  await run.shows('under load', 60_000);
  const agent = podProcesses(run.child.pid as number).find((pid) =>
    readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes('HOSTNAME=rollproof-agent-0'),
  );
  assert.ok(agent, 'the load agent is a process of the run');
  process.kill(agent, 'SIGSTOP');
  await sleep(HELD_MS);
  process.kill(agent, 'SIGCONT');
}

test('a disturbed measurement is made once more, and the report says so and why', () =>
  inTemporaryFolder(async (folder) => {
    const out = join(folder, 'run');
    const run = startRollproof([...verify, '--out', out]);
    await holdUpTheAgent(run);
    const { stdout, stderr } = await run.ended;
    assert.match(stderr, /Measuring scale-up\.hardened again: Stream \w+ sent its requests late: p99 \d+ ms/);
    const [scenario] = readResults(out).scenarios;
    assert.is(scenario?.experiments.length, 1, 'what was set aside counts for nothing');
    assert.ok(scenario?.experiments[0]?.valid, scenario?.experiments[0]?.invalid.join());
    const [again] = scenario?.measuredAgain ?? [];
    assert.is(again?.variant, 'hardened');
    assert.match(again?.reasons.join() ?? '', /sent its requests late/);
    assert.match(stdout, /hardened was measured again: before, stream \w+ sent its requests late/);
    const aside = join(out, again?.setAside ?? '');
    assert.match(readFileSync(aside, 'utf8'), /^\{"type":"header"/, 'its journal is kept');
    const judged = await rollproof(['judge', out]);
    assert.match(judged.stdout, /hardened was measured again/, 'judged anew, it is still told');
  }));

test('--measure-again 0: the run stays inconclusive, exit code 2', () =>
  inTemporaryFolder(async (folder) => {
    const out = join(folder, 'run');
    const run = startRollproof([...verify, '--measure-again', '0', '--out', out]);
    await holdUpTheAgent(run);
    const { code, stderr } = await run.ended;
    assert.is(code, 2, stderr);
    const [scenario] = readResults(out).scenarios;
    assert.is(scenario?.verdict, 'inconclusive');
    assert.is(scenario?.measuredAgain, undefined);
    assert.ok(scenario?.experiments[0]?.disturbed);
  }));

test.run();
