// One measurement, two drivers: the same rollout of the same manifests costs what `verify` says, when the real kubectl makes it
// and `watch` looks on. A comparison for docs/watch.md: ROLLPROOF_WATCH_CHANGES says how many rollouts are watched, and without
// it nothing runs.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { bundle } from '../../harness/load/bundle.ts';
import type { ExperimentResult } from '../../harness/model/results.ts';
import { bound, lacksForWatch, WatchedCluster } from '../embedded-watch.ts';
import { readResults, rollproof, root, startRollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const changes = Number(process.env.ROLLPROOF_WATCH_CHANGES ?? 0);
const lacks =
  lacksForWatch ??
  (changes > 0 ? undefined : 'a comparison that is made on request: ROLLPROOF_WATCH_CHANGES=20');
const test = suite('watch and verify agree', {
  timeoutMs: 60_000 + changes * 20_000,
  ...(lacks && { skip: lacks }),
});
const cluster = new WatchedCluster();
const { args, kubectl } = bound(cluster);
let verified: readonly ExperimentResult[] = [];

test('verify: a restart of the manifests as they are', async () => {
  const program = await bundle(join(root, 'target', 'server.ts'));
  const config = join(cluster.folder, 'rollproof.yaml');
  writeFileSync(
    config,
    JSON.stringify({
      target: {
        manifests: [join(root, 'target', 'manifests.yaml')],
        deployment: 'target',
        service: 'target',
      },
      images: { 'rollproof/target:1': { command: [process.execPath, program] } },
      load: { lanes: ['new', 'kept'] },
    }),
  );
  const out = join(cluster.folder, 'verify');
  const { stdout, stderr } = await rollproof([
    ...['verify', '--cluster', 'embedded', '--config', config, '--scenario', 'restart', '--rate', '20'],
    ...['--variants', 'as-is', '--repeat', '3', '--measure-again', '0', '--out', out],
  ]);
  verified = readResults(out).scenarios[0]?.experiments ?? [];
  assert.is(verified.length, 3, `${stdout}\n${stderr}`);
  assert.ok(
    verified.every(({ valid }) => valid),
    `${stdout}\n${stderr}`,
  );
});

test('watch: each restart is a change with the losses and the causes of verify', async () => {
  await cluster.start();
  const out = join(cluster.folder, 'watch');
  const watching = startRollproof(args(out, ['--rollouts', String(changes)]));
  for (let done = 0; done < changes; done++) {
    await watching.shows(`watching, ${done} ${done === 1 ? 'change' : 'changes'} so far`, 60_000);
    kubectl('rollout', 'restart', 'deployment/target');
  }
  const { stdout, stderr } = await watching.ended;
  const watched = readResults(out).scenarios[0]?.experiments ?? [];
  const table = [...rows('verify', verified), ...rows('watch', watched)].join('\n');
  process.stdout.write(`${table}\n`);
  assert.is(watched.length, changes, `${stdout}\n${stderr}`);
  for (const { episode } of watched) {
    assert.is(episode?.verdict, 'lost', table);
    assert.equal([episode?.podsCame, episode?.podsWent], [3, 3], table);
  }
  for (const lane of ['new', 'kept'] as const) {
    const causes = new Set(verified.flatMap((one) => mainCauses(one, lane)));
    for (const one of watched)
      assert.ok(
        mainCauses(one, lane).some((cause) => causes.has(cause)),
        table,
      );
  }
});

test('the cluster ends', () => cluster.end());

test.run();

/** "verify 1: new 21 of 301 (routed-before-listening 18, …)" */
const rows = (who: string, experiments: readonly ExperimentResult[]): string[] =>
  experiments.map(({ lanes }, index) => {
    const parts = Object.entries(lanes).map(
      ([lane, result]) => `${lane} ${result.lost} of ${result.attempts} ${JSON.stringify(result.causes)}`,
    );
    return `${who} ${index + 1}: ${parts.join('; ')}`;
  });

/** Of a few losses two causes may have equally many: then either is the main one. */
function mainCauses({ lanes }: ExperimentResult, lane: 'new' | 'kept'): readonly string[] {
  const causes = Object.entries(lanes[lane]?.causes ?? {});
  const most = Math.max(0, ...causes.map(([, lost = 0]) => lost));
  return most === 0 ? ['none'] : causes.flatMap(([cause, lost]) => (lost === most ? [cause] : []));
}
