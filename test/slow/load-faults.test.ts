// Every fault × lane × open and closed loop: the meter's counts must equal the server's tally exactly.
import * as assert from 'uvu/assert';
import { Meter } from '../../harness/load/meter.ts';
import { plainLanes, streamPlanSchema } from '../../harness/model/load.ts';
import { differences } from '../faults/compare.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import { type FaultName, faultNames, faultOf } from '../faults/faults.ts';
import { suite } from '../suite.ts';

const test = suite('load faults', { timeoutMs: 100_000 });

for (const loop of ['open', 'closed'] as const) {
  for (const lane of plainLanes) {
    test(`${loop} loop, lane ${lane}: each of ${faultNames.length} faults is counted as what it is`, async () => {
      const failures: string[] = [];
      await inParallel(10, faultNames, async (name) => {
        const found = await runOne(name, lane, loop);
        failures.push(...found.map((sentence) => `${name}: ${sentence}`));
      });
      assert.equal(failures, []);
    });
  }
}

async function runOne(
  name: FaultName,
  lane: (typeof plainLanes)[number],
  loop: 'open' | 'closed',
): Promise<string[]> {
  const fault = faultOf(name);
  const server = await startFaultServer({
    plan: () => (fault.onAccept ? 'length' : name),
    ...(fault.onAccept && { acceptPlan: () => name }),
  });
  try {
    const meter = new Meter({
      plan: streamPlanSchema.parse({
        id: lane,
        lane,
        url: `http://127.0.0.1:${server.port}/`,
        rate: { shape: 'constant', ratePerSecond: loop === 'open' ? 80 : 0 },
        connections: lane === 'kept' || loop === 'closed' ? 4 : 60,
        // Server and meter share this process: what is waited for must outlast its own standstills.
        timeoutMs: fault.stalls ? 4000 : 20_000,
        maxDurationMs: 400,
      }),
    });
    meter.start();
    const end = await meter.ended;
    const found = differences(end, server);
    if (end.attempts < 4) found.push(`only ${end.attempts} attempts`);
    return found;
  } finally {
    await server.close();
  }
}

async function inParallel<T>(
  width: number,
  items: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  const queue = [...items];
  await Promise.all(
    Array.from({ length: width }, async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}

test.run();
