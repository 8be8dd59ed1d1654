import * as assert from 'uvu/assert';
import { configurationSchema } from '../../harness/config/schema.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { readResumed } from '../../harness/run/resume.ts';
import { select } from '../../harness/run/selection.ts';
import { parseShard, shardOf } from '../../harness/run/shard.ts';
import { scenarios } from '../../scenarios/index.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('command verify: parts and resuming');

const all = select(scenarios, configurationSchema.parse({}) as Parameters<typeof select>[1], {
  profile: 'full',
  scenarios: [],
  variants: [],
  repeat: 2,
  paths: ['cluster-ip'],
  agents: 1,
  builtIn: true,
});

test('parts together are the whole, none twice, scenarios not cut', () => {
  for (const of of [1, 2, 3, all.scenarios.length]) {
    const parts = Array.from({ length: of }, (_, at) => shardOf(all, { index: at + 1, of }));
    const ids = parts.flatMap((part) => part.scenarios.map(({ id }) => id)).sort();
    assert.equal(ids, all.scenarios.map(({ id }) => id).sort(), `${of} parts`);
    assert.is(
      parts.reduce((sum, part) => sum + part.keys.length, 0),
      all.keys.length,
    );
    for (const part of parts) {
      assert.ok(part.scenarios.length > 0);
      const own = part.scenarios.map(({ id }) => id);
      assert.ok(part.keys.every((key) => own.includes(key.scenario.id)));
    }
  }
});

test('forms of --shard', () => {
  assert.equal(parseShard('2/3'), { index: 2, of: 3 });
  for (const wrong of ['0/3', '4/3', '1', '1/0', 'a/b', '-1/2', '1/2/3', ''])
    assert.throws(() => parseShard(wrong), /written i\/n/, wrong);
  assert.throws(
    () => shardOf(all, { index: 1, of: 999 }),
    (error: unknown) => error instanceof UsageError && /at most \d+ parts/.test(error.message),
  );
});

test('only the folder of a run can be resumed', () =>
  inTemporaryFolder(async (folder) => {
    for (const [name, path, message] of [
      ['nothing', `${folder}/none`, /there is no such folder/],
      ['empty', folder, /has no journals\//],
    ] as const) {
      const error = await readResumed(path).catch((thrown: unknown) => thrown);
      assert.instance(error, UsageError, name);
      assert.match((error as Error).message, message, name);
    }
  }));

test.run();
