// The load of an experiment when something goes wrong on the way: every agent is told to stop, nobody pulls any more.
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { createAgentClient } from '../../harness/control/agent-client.ts';
import { FaultError, InterruptedError } from '../../harness/model/errors.ts';
import { Lifetime } from '../../harness/model/lifetime.ts';
import type { AgentPlan } from '../../harness/model/load.ts';
import type { JournalWriter } from '../../harness/record/journal-writer.ts';
import { loadOf } from '../../harness/run/experiment/fire.ts';
import { suite } from '../suite.ts';

const test = suite('load of an experiment');

const plan: AgentPlan = { runId: 'r', streams: [], podHeader: '', preflightMs: 0 };

/** An agent that answers all right but for what `wrong` says of a path. */
function agent(name: string, wrong: Record<string, () => Promise<{ status: number; text: string }>> = {}) {
  const asked: string[] = [];
  let ended = false;
  const client = createAgentClient(name, async (method, path, _body, { signal }) => {
    signal?.throwIfAborted();
    const [short = path] = path.split('?');
    asked.push(`${method} ${short}`);
    const odd = wrong[short];
    if (odd) return Promise.race([odd(), aborted(signal)]);
    if (short === '/stop') ended = true;
    const answers: Record<string, unknown> = {
      '/clock': { nowMs: 0 },
      '/frames': { frames: [], state: ended ? 'ended' : 'running', nextSeq: 1 },
      '/end': { ends: [], lastSeq: 0 },
    };
    return { status: 200, text: JSON.stringify(answers[short] ?? {}) };
  });
  return { client, asked };
}

const aborted = (signal: AbortSignal | undefined): Promise<never> =>
  new Promise((_, reject) => {
    signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
const refused = async () => ({ status: 500, text: 'no' });
const hangs = () => new Promise<never>(() => {});

function starting(agents: readonly ReturnType<typeof agent>[]) {
  const life = new Lifetime();
  const notes: string[] = [];
  const journal: JournalWriter = {
    nowMs: () => 0,
    truncated: false,
    write: (record) => void (record.type === 'note' && notes.push(record.text)),
    end: async () => {},
  };
  const load = loadOf({
    clients: agents.map(({ client }) => client),
    plans: agents.map(() => plan),
    journal,
    life,
    progress: () => {},
  });
  return { life, load, notes };
}

test('a start that fails midway stops the agents that were started, and nobody pulls their frames', async () => {
  for (const failing of ['/prepare', '/fire', '/clock']) {
    const [well, ill] = [agent('well'), agent('ill', { [failing]: refused })];
    const { life, load } = starting([well, ill]);
    const error: unknown = await load.start(async () => {}).catch((reason: unknown) => reason);
    assert.match(String(error), /Load agent ill/, failing);
    life.fail(error);
    await life.end();
    assert.ok(well.asked.includes('POST /stop'), `${failing}: ${well.asked}`);
    const pulls = well.asked.length;
    await sleep(400);
    assert.is(well.asked.length, pulls, `${failing}: it is left alone`);
  }
});

test('one agent that does not hear the order to stop does not keep the others from it', async () => {
  const [deaf, well] = [agent('deaf', { '/stop': refused }), agent('well')];
  const { life, load, notes } = starting([deaf, well]);
  await load.start(async () => {});
  life.fail(new FaultError('the target vanished'));
  assert.equal(await life.end(), []);
  assert.ok(well.asked.includes('POST /stop'));
  assert.match(notes.join(), /could not be ended in order: Load agent deaf/);
});

/** It costs one second and two; waiting for its answer would cost fifteen, each time it is asked. */
test('an agent that hangs holds up neither an interrupt nor the end after a fault of its own', async () => {
  for (const reason of [new InterruptedError(), undefined]) {
    const hung = agent('hung', { '/stop': hangs, '/frames': reason ? hangs : refused });
    const { life, load } = starting([hung]);
    await load.start(async () => {});
    await sleep(reason ? 50 : 1500);
    if (reason) life.fail(reason);
    const from = performance.now();
    await life.end();
    const tookMs = performance.now() - from;
    assert.ok(tookMs < 8000, `took ${tookMs} ms`);
    assert.is(life.signal.reason instanceof InterruptedError, reason !== undefined);
  }
});

test.run();
