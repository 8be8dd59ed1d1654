// What a machine must have for a run, by the load that is fired from it: said before anything starts.
import * as assert from 'uvu/assert';
import { laneLoadSchema, type Step } from '../../harness/model/scenario.ts';
import { systemFault } from '../../harness/model/system-error.ts';
import { tooLittle } from '../../harness/run/preflight.ts';
import { suite } from '../suite.ts';

const test = suite('what a run needs of its machine');

const enough = { openFiles: 100_000, freeMemoryBytes: 2 ** 33 };
const of = (rate: object, steps: readonly object[] = [], more: object = {}) => [
  { load: [laneLoadSchema.parse({ lane: 'new', timeoutMs: 3000, rate, ...more })], steps: steps as Step[] },
];
const quiet = { shape: 'constant', ratePerSecond: 10 };

test('memory: too little is one sentence with what is free and what is needed', () => {
  assert.is(tooLittle(enough, of(quiet), true), undefined);
  assert.is(
    tooLittle({ ...enough, freeMemoryBytes: 100 * 2 ** 20 }, of(quiet), true),
    '105 MB of memory are free, and a run needs at least 201 MB. End other programs, or raise the container’s memory limit.'.replace(
      '’',
      "'",
    ),
  );
});

test('open files: as many as the load has connections at its highest rate, whatever says it', () => {
  const busy = 800;
  const rows: [what: string, scenarios: ReturnType<typeof of>, needs: boolean][] = [
    ['a low rate', of(quiet), false],
    ['a high rate', of({ shape: 'constant', ratePerSecond: busy }), true],
    [
      'steps',
      of({
        shape: 'steps',
        steps: [
          { atMs: 0, ratePerSecond: 1 },
          { atMs: 5, ratePerSecond: busy },
        ],
      }),
      true,
    ],
    [
      'a ramp',
      of({
        shape: 'ramp',
        points: [
          { atMs: 0, ratePerSecond: 1 },
          { atMs: 5, ratePerSecond: busy },
        ],
      }),
      true,
    ],
    ['a step of the scenario', of(quiet, [{ step: 'load-rate', ratePerSecond: busy }]), true],
    ['connections', of(quiet, [], { lane: 'kept', connections: 2400 }), true],
  ];
  for (const [what, scenarios, needs] of rows) {
    const few = { ...enough, openFiles: 600 };
    const said = tooLittle(few, scenarios, true);
    if (needs)
      assert.match(said ?? '', /^This shell allows 600 open files, and the run needs 24\d\d\./, what);
    else assert.is(said, undefined, what);
    assert.is(tooLittle(few, scenarios, false), undefined, `${what}, from another machine`);
    assert.is(tooLittle({ ...few, openFiles: undefined }, scenarios, true), undefined, `${what}, not known`);
  }
});

test(
  'a disk that is full is named also where the write does not say which',
  () => {
    const full = Object.assign(new Error('ENOSPC'), { code: 'ENOSPC', syscall: 'write' });
    assert.match(
      systemFault(full, '', undefined, '/proc')?.message ?? '',
      /^\/proc: the disk is full \(ENOSPC; 0 bytes of 0 bytes free at \/proc\)\. Free some space/,
    );
    assert.match(systemFault(full, '', undefined, '/no/such')?.message ?? '', /^the disk is full \(ENOSPC\)/);
  },
  { skip: process.platform === 'linux' ? undefined : 'needs a file system without room, as /proc is' },
);

test.run();
