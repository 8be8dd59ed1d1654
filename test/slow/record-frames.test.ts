import * as assert from 'uvu/assert';
import { type AgentClient, AgentError, createAgentClient } from '../../harness/control/agent-client.ts';
import { type FrameSink, framePuller } from '../../harness/control/frame-puller.ts';
import { AWAY_AFTER_MS, NoAnswerError } from '../../harness/kube/api-error.ts';
import { createLiveState } from '../../harness/record/live.ts';
import { suite } from '../suite.ts';

const test = suite('frames');
const frame = (seq: number) => ({ seq, atMs: seq * 200, streams: {} });

const pull = (client: AgentClient, sink: FrameSink) =>
  framePuller(client, sink).untilEnded(new AbortController().signal);

function agentWith(answers: { frames: unknown[]; state: string; nextSeq: number }[]) {
  const asked: string[] = [];
  const client = createAgentClient('agent', async (_method, path) => {
    asked.push(path);
    const answer = answers[Math.min(asked.length - 1, answers.length - 1)];
    return { status: 200, text: JSON.stringify(answer) };
  });
  return { client, asked };
}

test('frames are taken once, in order, until the agent has ended', async () => {
  const { client, asked } = agentWith([
    { frames: [frame(1), frame(2)], state: 'running', nextSeq: 3 },
    { frames: [frame(2), frame(3)], state: 'ended', nextSeq: 4 },
  ]);
  const seen: number[] = [];
  await pull(client, { frame: (_, one) => void seen.push(one.seq), gap: () => assert.unreachable() });
  assert.equal(seen, [1, 2, 3]);
  assert.equal(asked, ['/frames?after=0', '/frames?after=2']);
});

test('while the API server restarts the agent is asked again; one that is away is named', async () => {
  let silentMs = 0;
  let backAfter = 8;
  let asked = 0;
  const away = () => new NoAnswerError('GET /proxy', 'connect ECONNREFUSED', silentMs);
  const client = createAgentClient(
    'agent',
    async () => {
      if (++asked <= backAfter) throw away();
      return { status: 200, text: JSON.stringify({ frames: [frame(1)], state: 'ended', nextSeq: 2 }) };
    },
    async () => {
      throw away();
    },
  );
  const seen: number[] = [];
  const sink = {
    frame: (_: string, one: { seq: number }) => void seen.push(one.seq),
    gap: () => assert.unreachable(),
  };
  await pull(client, sink);
  assert.equal([seen, asked], [[1], 9]);
  asked = 0;
  backAfter = Number.POSITIVE_INFINITY;
  silentMs = AWAY_AFTER_MS + 500;
  try {
    await pull(client, sink);
    assert.unreachable();
  } catch (error) {
    assert.instance(error, AgentError);
    assert.is(
      (error as AgentError).message,
      'Load agent agent: it cannot be asked: the API server has not answered for 21 s (connect ECONNREFUSED).',
    );
    assert.is((error as AgentError).ended, false);
  }
});

test('a missing number is a gap', async () => {
  const { client } = agentWith([{ frames: [frame(1), frame(4)], state: 'ended', nextSeq: 5 }]);
  const gaps: number[][] = [];
  await pull(client, { frame: () => {}, gap: (_, from, to) => void gaps.push([from, to]) });
  assert.equal(gaps, [[2, 3]]);
});

test('with patience an agent that is out of reach for a while loses nothing; one that has ended fails at once', async () => {
  let away = true;
  const client: AgentClient = {
    ...agentWith([]).client,
    frames: async () => {
      if (away) {
        away = false;
        throw new AgentError('no answer');
      }
      return { frames: [frame(1)] as never, state: 'ended', nextSeq: 2 };
    },
  };
  const seen: number[] = [];
  const sink: FrameSink = { frame: (_, one) => void seen.push(one.seq), gap: () => assert.unreachable() };
  await framePuller(client, sink, { patienceMs: 5000 }).untilEnded(new AbortController().signal);
  assert.equal(seen, [1]);
  const gone = {
    ...client,
    frames: () => Promise.reject(new AgentError('its pod is gone', { ended: true })),
  };
  const error: unknown = await framePuller(gone, sink, { patienceMs: 60_000 })
    .untilEnded(new AbortController().signal)
    .catch((reason: unknown) => reason);
  assert.match(String(error), /its pod is gone/);
});

test('an agent that cannot be reached is an error that names it, after a few tries', async () => {
  let tries = 0;
  const client = createAgentClient('agent-7', async () => {
    tries++;
    return { status: 502, text: 'no route' };
  });
  let message = '';
  await pull(client, { frame: () => {}, gap: () => {} }).catch((error: Error) => {
    message = error.message;
  });
  assert.match(message, /agent-7.*no route/);
  assert.is(tries, 4);
});

test('what an agent refuses is told in its own words, whatever its pod looks like', async () => {
  const said = async (text: string) => {
    const client = createAgentClient(
      'agent-7',
      async () => ({ status: 503, text }),
      async () => 'the load agent runs but does not answer.',
    );
    const error = await client.prepare({} as never).catch((reason: Error) => reason);
    return (error as Error).message;
  };
  assert.is(
    await said('{"message":"Stream new: nothing answered at its URL within 10000 ms: timeout."}'),
    'Load agent agent-7: Stream new: nothing answered at its URL within 10000 ms: timeout.',
  );
  assert.is(
    await said('{"kind":"Status","message":"error trying to reach service"}'),
    'Load agent agent-7: the load agent runs but does not answer.',
  );
});

test('clock: offset and error come from the shortest round trip', async () => {
  let harnessMs = 1000;
  const trips = [40, 4, 30];
  let sample = 0;
  const client = createAgentClient('a', async () => {
    const trip = trips[sample++ % trips.length] as number;
    harnessMs += trip / 2;
    const nowMs = harnessMs - 700;
    harnessMs += trip / 2;
    return { status: 200, text: JSON.stringify({ nowMs }) };
  });
  assert.equal(await client.clock(() => harnessMs), { offsetMs: 700, errorMs: 2 });
});

test('a wait that is not met says what it waited for and what it saw last', async () => {
  const live = createLiveState();
  let message = '';
  await live
    .until(
      'rain',
      () => false,
      30,
      new AbortController().signal,
      () => 'sunshine',
    )
    .catch((error: Error) => {
      message = error.message;
    });
  assert.is(message, 'Waited 0.03 s for rain. Last seen: sunshine.');
});

test('a wait ends with the event that meets it, and with an abort', async () => {
  const live = createLiveState();
  const controller = new AbortController();
  const node = { kind: 'Node', ready: true, unschedulable: false } as const;
  const met = live.until('a node', () => live.all('Node').has('n'), 5000, controller.signal);
  live.update('ADDED', 'n', node);
  await met;
  const aborted = live.until('never', () => false, 5000, controller.signal);
  controller.abort(new Error('stop'));
  let message = '';
  await aborted.catch((error: Error) => {
    message = error.message;
  });
  assert.is(message, 'stop');
});

test('an order to stop is given again until it is answered; an order to fire is not', async () => {
  const orders: [string, (client: AgentClient) => Promise<unknown>, number][] = [
    ['stop', (client) => client.stop(), 3],
    ['fire', (client) => client.fire(0), 1],
  ];
  for (const [name, give, expected] of orders) {
    let tries = 0;
    const client = createAgentClient('a', async () => {
      tries++;
      return tries < 3 ? { status: 503, text: 'no route' } : { status: 200, text: '{}' };
    });
    await give(client).catch(() => {});
    assert.is(tries, expected, name);
  }
});

test('what became of an agent that does not answer is told instead of a socket’s words', async () => {
  const client = createAgentClient(
    'agent-0',
    () => Promise.reject(new Error('read ECONNRESET')),
    async () => 'the load agent ended (exit code 137; it said last: heap out of memory).',
  );
  const error: unknown = await client.stop().catch((reason: unknown) => reason);
  assert.is(
    (error as Error).message,
    'Load agent agent-0: the load agent ended (exit code 137; it said last: heap out of memory).',
  );
});

test('an agent that refuses while its node still calls it running is looked at again', async () => {
  let looks = 0;
  const client = createAgentClient(
    'agent-0',
    () => Promise.reject(new Error('connect ECONNREFUSED')),
    async () => {
      looks++;
      return looks < 3 ? 'the load agent runs but does not answer.' : 'the load agent ended (exit code 137).';
    },
  );
  const error: unknown = await client.fire(0).catch((reason: unknown) => reason);
  assert.is((error as Error).message, 'Load agent agent-0: the load agent ended (exit code 137).');
  assert.is((error as { ended?: boolean }).ended, true);
});

test.run();
