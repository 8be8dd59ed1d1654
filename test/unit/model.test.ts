import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
import { combineExitCodes, type ExitCode } from '../../harness/model/errors.ts';
import { isLost, outcomes } from '../../harness/model/load.ts';
import { causes } from '../../harness/model/results.ts';
import { defineScenario } from '../../harness/model/scenario.ts';
import { suite } from '../suite.ts';

const test = suite('model');

test('several exit codes at once: the first of 130, 4, 3, 1, 2, 0', () => {
  const table: [ExitCode[], ExitCode][] = [
    [[], 0],
    [[0, 2], 2],
    [[2, 1], 1],
    [[1, 3, 2], 3],
    [[3, 4], 4],
    [[0, 130, 4], 130],
  ];
  for (const [codes, expected] of table) assert.is(combineExitCodes(codes), expected, codes.join());
});

test('lost is every outcome but ok, late, aborted and local', () => {
  assert.equal(
    outcomes.filter((outcome) => !isLost(outcome)),
    ['ok', 'local', 'aborted', 'message-late'],
  );
});

test('a scenario with a wrong field is refused with its path', () => {
  assert.throws(
    () =>
      defineScenario({
        id: 'x',
        title: 't',
        question: 'q',
        group: 'rollout',
        steps: [{ step: 'scale', replicas: -1 }],
        claims: [],
      }),
    /"steps",\s*0,\s*"replicas"/,
  );
});

test('the published schema of results names the causes that there are, in each place', () => {
  const schema = JSON.parse(
    readFileSync(new URL('../../reports/json/results.schema.json', import.meta.url), 'utf8'),
  ) as unknown;
  const places: string[][] = [];
  const look = (node: unknown) => {
    if (typeof node !== 'object' || node === null) return;
    const names = Array.isArray(node) ? node : Object.keys(node);
    if (names.includes('killed-in-flight')) places.push([...names].sort());
    for (const child of Object.values(node)) look(child);
  };
  look(schema);
  assert.ok(places.length >= 3, `${places.length} places`);
  for (const names of places) assert.equal(names, [...causes].sort());
});

test.run();
