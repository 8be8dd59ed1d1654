// What became of lost attempts by the other end's word, and how that is set beside the judge's.
import * as assert from 'uvu/assert';
import { withPart } from '../../scripts/doc-part.ts';
import type { Compared } from '../../scripts/truth/compare.ts';
import { type AppLog, type Arrived, appLogs, arrivals } from '../../scripts/truth/seen.ts';
import { agrees, countsOf, differences } from '../../scripts/truth/table.ts';
import { type LostThere, type Reached, truthOf } from '../../scripts/truth/truth-of.ts';
import { suite } from '../suite.ts';

const test = suite('truth');

const event = (seconds: number, kind: string, state: string, port: number, id: number, unreplied = false) =>
  `[${seconds.toFixed(6)}]\t [${kind}] tcp      6 ${state} src=10.244.0.9 dst=10.244.2.4 sport=${port} dport=8080 ${unreplied ? '[UNREPLIED] ' : ''}src=10.244.2.4 dst=10.244.0.9 sport=8080 dport=${port} id=${id}`;

test('what arrived at a node: accepted, refused, never answered', () => {
  const lines = [
    event(1000, 'NEW', '120 SYN_SENT', 2001, 1, true),
    event(1000.001, 'UPDATE', '60 SYN_RECV', 2001, 1),
    event(1001, 'NEW', '120 SYN_SENT', 2002, 2, true),
    event(1001.001, 'DESTROY', 'CLOSE', 2002, 2, true),
    event(1002, 'NEW', '120 SYN_SENT', 2003, 3, true),
    event(1122, 'DESTROY', 'SYN_SENT', 2003, 3, true),
    'conntrack v1.4.7 (conntrack-tools): 3 flow events have been shown.',
  ];
  assert.equal(
    arrivals(lines).map(({ from, port, ip, atMs, answer }) => [from, port, ip, atMs, answer]),
    [
      ['10.244.0.9', 2001, '10.244.2.4', 1_000_000, 'accepted'],
      ['10.244.0.9', 2002, '10.244.2.4', 1_001_000, 'refused'],
      ['10.244.0.9', 2003, '10.244.2.4', 1_002_000, 'none'],
    ],
  );
});

test('logs of apps, by pod: Node.js with our lines, and nginx, which writes seconds and answers alone', () => {
  const at = '2026-01-02T03:04:05.678901234Z stdout F ';
  const [web, nginx, ...more] = appLogs(
    [
      '== web-1_space_app-0123.log',
      `${at}truth 1700000000050.000 listening 8081`,
      `${at}truth 1700000000100.250 listening 8080`,
      `${at}truth 1700000000200.000 request 10.244.0.9:2001`,
      `${at}truth 1700000000201.000 answered 10.244.0.9:2001 200`,
      `${at}truth 1700000000300.000 exit 0`,
      '== nginx-1_space_app-4567.log',
      `${at}truth 1700000000.500 answered 10.244.0.9:2002 200`,
      '== quiet-1_space_app-89ab.log',
    ],
    8080,
  );
  assert.equal(more, []);
  assert.is(web?.pod, 'web-1');
  assert.is(web?.listeningMs, 1_700_000_000_100.25);
  assert.is(web?.closedMs, 1_700_000_000_300);
  assert.is(web?.tellsItsEnd, true);
  assert.is(web?.clients.get('10.244.0.9:2001')?.requests.length, 1);
  assert.is(nginx?.listeningMs, 1_700_000_000_500);
  assert.is(nginx?.tellsItsEnd, false);
});

const arrived = (answer: Arrived['answer'], atMs = 5000): Arrived => ({
  from: '10.244.0.9',
  port: 2001,
  ip: '10.244.2.4',
  atMs,
  answer,
});
const log = (change: Partial<AppLog> = {}): AppLog => ({
  pod: 'web-1',
  namespace: 'space',
  firstMs: 1000,
  listeningMs: 2000,
  closedMs: undefined,
  tellsItsEnd: true,
  lastMs: 9000,
  clients: new Map(),
  ...change,
});
const reached = (answer: Arrived['answer'], logs: readonly AppLog[], acceptedMs: number[] = []): Reached => ({
  pod: 'web-1',
  arrived: arrived(answer),
  acceptedMs,
  logs,
});
const lost = (change: Partial<LostThere> = {}): LostThere => ({
  outcome: 'reset',
  reused: false,
  startMs: 5000,
  endMs: 5100,
  ...change,
});
const asked = (requests: number[], answers: number[] = []) =>
  new Map([['10.244.0.9:2001', { requests, answers: answers.map((atMs) => ({ atMs, status: 200 })) }]]);

const cases: [string, LostThere, Reached | undefined, string, string | undefined][] = [
  ['rejected before a pod', lost({ outcome: 'refused' }), undefined, 'no-endpoint', undefined],
  ['lost on the way', lost({ outcome: 'timeout' }), undefined, 'routed-after-stop', undefined],
  [
    'refused by a pod that had listened, as its log says',
    lost({ outcome: 'refused' }),
    reached('refused', [log({ closedMs: 4900 })]),
    'routed-after-stop',
    'web-1',
  ],
  [
    'refused by a pod that had accepted, whose log says nothing',
    lost({ outcome: 'refused' }),
    reached('refused', [], [3000]),
    'routed-after-stop',
    'web-1',
  ],
  [
    'refused by a pod that listened only later',
    lost({ outcome: 'refused' }),
    reached('refused', [log({ listeningMs: 6000 })], [6100]),
    'routed-before-listening',
    'web-1',
  ],
  [
    'answered with an error',
    lost({ outcome: 'http5xx' }),
    reached('accepted', [log()]),
    'app-error',
    'web-1',
  ],
  [
    'cut while the app had it',
    lost(),
    reached('accepted', [log({ closedMs: 5100, clients: asked([5002]) })]),
    'killed-in-flight',
    'web-1',
  ],
  [
    'a kept connection that closed under it',
    lost({ reused: true }),
    reached('accepted', [log({ closedMs: 5100, clients: asked([3000], [3001]) })]),
    'kept-connection-cut',
    'web-1',
  ],
  [
    'killed without a word',
    lost({ reused: true, startMs: 8950, endMs: 9001 }),
    reached('accepted', [log({ clients: asked([3000], [3001]) })]),
    'grace-exceeded',
    'web-1',
  ],
];
for (const [what, attempt, where, cause, pod] of cases)
  test(`the truth of an attempt: ${what}`, () => {
    const truth = truthOf(attempt, where);
    assert.equal([truth.cause, truth.pod], [cause, pod]);
  });

const compared = (right: boolean, confidence: 'high' | 'low' = 'high'): Compared => ({
  lane: 'new',
  outcome: 'refused',
  dueMs: 1234,
  judged: { cause: 'routed-after-stop', pods: ['web-1'], confidence },
  truth: { cause: 'routed-after-stop', pod: right ? 'web-1' : 'web-2', why: 'because' },
  right,
  podUnseen: false,
});

test('one of a hundred may be wrong, none of them with confidence high', () => {
  const all = (wrong: Compared) => [
    { scenario: 'x', compared: [...Array.from({ length: 99 }, () => compared(true)), wrong] },
  ];
  assert.ok(agrees(all(compared(false, 'low'))));
  assert.not(agrees(all(compared(false, 'high'))));
  assert.not(agrees([...all(compared(false, 'low')), { scenario: 'y', compared: [compared(false, 'low')] }]));
  assert.not(agrees([]));
  assert.is(countsOf([compared(false)]).wrongAndSure, 1);
  assert.equal(differences(all(compared(false))), [
    '1 × x, new, refused: routed-after-stop of web-1 (high), truly routed-after-stop of web-2: because (first at 1234 ms)',
  ]);
});

test('what a script writes takes the place of what it wrote before', () => {
  const part = (text: string) => `<!-- x: written by npm run x -->\n${text}\n<!-- x: end -->`;
  const page = (text: string) => `before\n${part(text)}\nafter\n`;
  assert.is(withPart('x.md', page('old'), 'x', 'new'), page('new'));
  assert.throws(() => withPart('x.md', 'before\nafter\n', 'x', 'new'), /^npm run x: x.md has no place/);
});

test.run();
