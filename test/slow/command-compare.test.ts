import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { comparisonExitCode, comparisonMarkdown, comparisonText } from '../../harness/commands/compare.ts';
import { readResultsFile } from '../../harness/commands/results-file.ts';
import { compareRuns } from '../../harness/judge/compare.ts';
import { summarizeRun } from '../../harness/judge/summarize.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Results } from '../../harness/model/results.ts';
import { runResults } from '../data/experiment-result.ts';
import { inTemporaryFolder, rollproof } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('command compare', { timeoutMs: 60_000 });

const compare = (before: Results, after: Results) => compareRuns(summarizeRun(before), summarizeRun(after));
const clean = runResults([{ variant: 'hardened', lanes: { new: 0 } }]);
const lossy = runResults([{ variant: 'hardened', lanes: { new: 7 } }], { verdict: 'refuted' });

test('exit code and first words per kind of change', () => {
  const other = { ...clean, scenarios: clean.scenarios.map((one) => ({ ...one, name: 'scale-up' })) };
  const unjudged = runResults([{ variant: 'hardened', lanes: { new: 0 }, invalid: 'shed' }], {
    verdict: 'inconclusive',
  });
  const dearer = runResults([{ variant: 'hardened', lanes: { new: 0 }, rolloutMs: 60_000 }]);
  const table: [string, Results, Results, number, RegExp][] = [
    ['the same run', clean, clean, 0, /^1 scenario: 1 the same$/m],
    ['worse', clean, lossy, 1, /^✕ image-change: worse, proven → refuted$/m],
    ['better', lossy, clean, 0, /^✓ image-change: better, refuted → proven$/m],
    ['gone and new', clean, other, 2, /^2 scenarios: 1 gone, 1 new$/m],
    ['not judged any more', clean, unjudged, 2, /^\? image-change: not comparable, proven → inconclusive$/m],
    ['dearer alone', clean, dearer, 0, /^ {4}worse {2}hardened: rollout took 6.00 s → 60.0 s$/m],
  ];
  for (const [name, before, after, code, text] of table) {
    const comparison = compare(before, after);
    assert.is(comparisonExitCode(comparison), code, name);
    assert.match(comparisonText(comparison), text, name);
  }
});

test('what baseline loses decides only where nothing else ran', () => {
  const both = (lost: number) =>
    runResults([
      { variant: 'baseline', lanes: { new: lost } },
      { variant: 'hardened', lanes: { new: 0 } },
    ]);
  const alone = (lost: number) => runResults([{ variant: 'baseline', lanes: { new: lost } }]);
  assert.is(comparisonExitCode(compare(both(50), both(500))), 0);
  assert.match(comparisonText(compare(both(50), both(500))), /worse {2}baseline, lane new: lost 50 /);
  assert.is(comparisonExitCode(compare(alone(50), alone(500))), 1);
});

test('Markdown: one row per scenario, worst first, and a bar in a name does not break the table', () => {
  const named = (results: Results, name: string): Results['scenarios'] =>
    results.scenarios.map((one) => ({ ...one, name }));
  const before = { ...clean, scenarios: [...named(clean, 'fine'), ...named(clean, 'a|b')] };
  const after = { ...clean, scenarios: [...named(clean, 'fine'), ...named(lossy, 'a|b')] };
  const rows = comparisonMarkdown(compare(before, after))
    .split('\n')
    .filter((line) => /^\| [✕·]/.test(line));
  assert.is(rows.length, 2);
  assert.match(rows[0] ?? '', /^\| ✕ \| a\\\|b \| worse, proven → refuted \| .*lost 0 of 6,000 → 7 of 6,000/);
  assert.match(rows[1] ?? '', /^\| · \| fine \| the same, proven \|/);
});

test('what cannot be read is told with file and field', () =>
  inTemporaryFolder(async (folder) => {
    const write = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    mkdirSync(join(folder, 'empty'));
    const broken = structuredClone(clean) as unknown as {
      scenarios: { experiments: { lanes: { new: { lost: unknown } } }[] }[];
    };
    broken.scenarios[0]!.experiments[0]!.lanes.new.lost = 'seven';
    const table: [string, string, RegExp][] = [
      ['no file', join(folder, 'none'), /none: there is no such file/],
      ['a folder without results', join(folder, 'empty'), /has no results\.json.*rollproof report/],
      ['no JSON', write('text.json', 'hello'), /text\.json: not JSON/],
      ['empty', write('empty.json', ''), /empty\.json: not JSON/],
      [
        'another version',
        write('v9.json', JSON.stringify({ ...clean, schemaVersion: 9 })),
        /field schemaVersion:/,
      ],
      [
        'a wrong field',
        write('broken.json', JSON.stringify(broken)),
        /broken\.json: field scenarios\.0\.experiments\.0\.lanes\.new\.lost:/,
      ],
      ['a list', write('list.json', '[]'), /field \(all\):/],
    ];
    for (const [name, path, message] of table) {
      try {
        readResultsFile(path);
        assert.unreachable(name);
      } catch (error) {
        assert.instance(error, UsageError, `${name}: ${error}`);
        assert.match((error as Error).message, message, name);
      }
    }
  }));

test('as a user types it: folders, files, --json, exit codes', () =>
  inTemporaryFolder(async (folder) => {
    const before = join(folder, 'before');
    mkdirSync(before);
    writeFileSync(join(before, 'results.json'), JSON.stringify(clean));
    const after = join(folder, 'after.json');
    writeFileSync(after, JSON.stringify(lossy));
    const worse = await rollproof(['compare', before, after, '--json']);
    assert.is(worse.code, 1, worse.stderr);
    const parsed = JSON.parse(worse.stdout) as { scenarios: { change: string }[] };
    assert.equal(
      parsed.scenarios.map(({ change }) => change),
      ['worse'],
    );
    const unreadable = await rollproof(['compare', before, join(folder, 'nothing')]);
    assert.is(unreadable.code, 4);
    assert.match(unreadable.stderr, /nothing: there is no such file/);
    assert.is(unreadable.stdout, '');
  }));

test.run();
