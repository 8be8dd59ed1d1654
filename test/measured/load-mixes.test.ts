// Random mixes of all faults, seeded: counts must equal the server's tally exactly, whatever mix. 20 seeds; more by
// ROLLPROOF_LOAD_SEEDS=200, other ones by ROLLPROOF_LOAD_FIRST_SEED=1000.
import * as assert from 'uvu/assert';
import { Meter } from '../../harness/load/meter.ts';
import { plainLanes, type StreamEnd, streamPlanSchema } from '../../harness/model/load.ts';
import { differences } from '../faults/compare.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import { faultNames, faultOf } from '../faults/faults.ts';
import { seeded } from '../faults/random.ts';
import { suite } from '../suite.ts';

const seeds = Number(process.env.ROLLPROOF_LOAD_SEEDS ?? 20);
const firstSeed = Number(process.env.ROLLPROOF_LOAD_FIRST_SEED ?? 1);
const test = suite('load mixes', { timeoutMs: 60_000 + seeds * 5000 });

test(`${seeds} random mixes of ${faultNames.length} faults are counted exactly`, async () => {
  const failures: string[] = [];
  const left = Array.from({ length: seeds }, (_, index) => firstSeed + index);
  let attempts = 0;
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      for (let seed = left.shift(); seed !== undefined; seed = left.shift()) {
        const { found, end } = await runMix(seed);
        attempts += end.attempts;
        failures.push(...found.map((sentence) => `seed ${seed}: ${sentence}`));
      }
    }),
  );
  assert.equal(failures, []);
  assert.ok(attempts > seeds * 20, `only ${attempts} attempts`);
});

/** Some faults of all, some accepted connections greeted, lane and loop at random. */
async function runMix(seed: number): Promise<{ found: string[]; end: StreamEnd }> {
  const random = seeded(seed);
  const lane = random.pick(plainLanes);
  // A response that nobody asked for is taken for the answer when the next request is already on its way: no client of
  // a kept connection can tell them apart, and all answers behind it are shifted.
  const possible = faultNames.filter((name) => lane !== 'kept' || name !== 'second response a little later');
  const some = possible.filter(() => random.next() < 0.3);
  const greetings = some.filter((name) => faultOf(name).onAccept);
  const answers = [...some.filter((name) => !faultOf(name).onAccept), 'length', 'chunked'] as const;
  // Stalls hold a slot for the whole time limit: rare, or nothing else would happen.
  const pickAnswer = () => {
    const name = random.pick(answers);
    return faultOf(name).stalls && random.next() < 0.7 ? 'length' : name;
  };
  const server = await startFaultServer({
    plan: pickAnswer,
    acceptPlan: () => (greetings.length > 0 && random.next() < 0.15 ? random.pick(greetings) : undefined),
  });
  try {
    const closed = random.next() < 0.4;
    const meter = new Meter({
      plan: streamPlanSchema.parse({
        id: lane,
        lane,
        url: `http://127.0.0.1:${server.port}/`,
        rate: { shape: 'constant', ratePerSecond: closed ? 0 : 20 + Math.floor(random.next() * 100) },
        connections: 2 + Math.floor(random.next() * 20),
        // Long enough that only what stalls meets it, also on a busy machine.
        timeoutMs: 2000,
        maxDurationMs: 1500,
      }),
    });
    meter.start();
    const end = await meter.ended;
    return { found: differences(end, server), end };
  } finally {
    await server.close();
  }
}

test.run();
