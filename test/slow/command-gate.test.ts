import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { summarizeRun } from '../../harness/judge/summarize.ts';
import { UsageError } from '../../harness/model/errors.ts';
import type { Results } from '../../harness/model/results.ts';
import { concludeRun, keepingOf } from '../../harness/run/gate.ts';
import { appendHistory, greenFor, readHistory } from '../../harness/run/history.ts';
import { runResults } from '../data/experiment-result.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('command verify: gate and history');

const run = (lost: number, more: Partial<Results> = {}): Results => ({
  ...runResults([{ variant: 'hardened', lanes: { new: lost } }]),
  ...more,
});
const at = (minute: number) => `2026-01-02T03:${String(minute).padStart(2, '0')}:00.000Z`;

test('a history asks for no gate; a gate asks for the default history; nothing asked, nothing kept', () =>
  inTemporaryFolder(async (folder) => {
    const historyFile = join(folder, 'history.ndjson');
    const none = { gateFile: undefined, historyFile: undefined, section: undefined };
    assert.is(keepingOf(none), undefined);
    assert.is(keepingOf({ ...none, historyFile })?.rules, undefined);
    const section = { variants: ['hardened'], maxOutageMs: 5 };
    assert.is(keepingOf({ ...none, section, historyFile })?.rules, section);
    const gateFile = join(folder, 'gate.yaml');
    writeFileSync(gateFile, 'maxLost: {new: 3}\n');
    const kept = keepingOf({ gateFile, historyFile, section });
    assert.equal(kept?.rules, { maxLost: { new: 3 } });
  }));

test('what is wrong in either file is told with its place, before anything runs', () =>
  inTemporaryFolder(async (folder) => {
    const file = (name: string, text: string) => {
      writeFileSync(join(folder, name), text);
      return join(folder, name);
    };
    const summary = JSON.stringify(summarizeRun(run(0)));
    const gate = (gateFile: string) => ({ gateFile, historyFile: join(folder, 'none'), section: undefined });
    const history = (historyFile: string) => ({ gateFile: undefined, historyFile, section: undefined });
    const table: [string, Parameters<typeof keepingOf>[0], RegExp][] = [
      ['no such gate', gate(join(folder, 'no.yaml')), /no\.yaml: there is no such file/],
      ['an unknown field', gate(file('a.yaml', 'maxLots: {new: 0}\n')), /a\.yaml:1:1: .*maxLots/],
      ['an unknown lane', gate(file('b.yaml', 'maxLost:\n  newer: 0\n')), /b\.yaml:2:/],
      [
        'no number',
        gate(file('c.yaml', 'maxOutageMs: long\n')),
        /c\.yaml:1:14: maxOutageMs must be a number/,
      ],
      ['history, a broken line', history(file('h1', `{"a":\n${summary}\n`)), /h1: line 1 is not JSON/],
      ['history, another thing', history(file('h2', `${summary}\n{}\n`)), /h2: line 2, field schemaVersion/],
    ];
    for (const [name, asked, message] of table) {
      try {
        keepingOf(asked);
        assert.unreachable(name);
      } catch (error) {
        assert.instance(error, UsageError, `${name}: ${error}`);
        assert.match((error as Error).message, message, name);
      }
    }
  }));

test('night after night: green, then worse than the last green, then a crossed bound; history and page grow', () =>
  inTemporaryFolder(async (folder) => {
    const historyFile = join(folder, 'nights.ndjson');
    const rules = { variants: ['hardened'], maxLost: { new: 5 }, noWorseThanLastGreen: true };
    const night = (results: Results) =>
      concludeRun(results, { rules, historyFile, history: readHistory(historyFile) }, folder);

    const first = night(run(0, { runId: 'one', startedAt: at(1) }));
    assert.is(first.exitCode, 0);
    assert.match(first.lines.join('\n'), /Gate: passed; there is no green run/);
    const second = night(run(3, { runId: 'two', startedAt: at(2) }));
    assert.is(second.exitCode, 1);
    assert.match(second.lines.join('\n'), /✕ noWorseThanLastGreen: .*lost 0 of 6,000 → 3 of 6,000.*\(one, /);
    const third = night(run(9, { runId: 'three', startedAt: at(3) }));
    assert.match(
      third.lines.join('\n'),
      /✕ maxLost: image-change, hardened: lane new lost 9 of 6,000, gate\.maxLost\.new allows 5/,
    );
    assert.match(third.lines.join('\n'), /compared with run one /, 'the second was not green');
    assert.equal(
      readHistory(historyFile).runs.map(({ runId, green }) => [runId, green]),
      [
        ['one', true],
        ['two', false],
        ['three', false],
      ],
    );
    assert.match(readFileSync(join(folder, 'nights.html'), 'utf8'), /The last run got worse\./);
    assert.is(JSON.parse(readFileSync(join(folder, 'gate.json'), 'utf8')).state, 'crossed');
  }));

test('an interrupted run is not kept', () =>
  inTemporaryFolder(async (folder) => {
    const historyFile = join(folder, 'h.ndjson');
    const { lines } = concludeRun(
      run(0, { exitCode: 130 }),
      { rules: undefined, historyFile, history: readHistory(historyFile) },
      folder,
    );
    assert.match(lines.join('\n'), /an interrupted run is not kept/);
    assert.not.ok(existsSync(historyFile));
  }));

test('a line that was cut off is left out, said, and not glued to the next', () =>
  inTemporaryFolder(async (folder) => {
    const file = join(folder, 'h.ndjson');
    const [one, two] = [run(0, { runId: 'one' }), run(0, { runId: 'two' })].map((each) => summarizeRun(each));
    appendHistory(file, [], one!);
    appendFileSync(file, JSON.stringify(two).slice(0, 60));
    const { runs, warnings } = readHistory(file);
    assert.is(runs.length, 1);
    assert.match(warnings.join(), /line 2 was cut off/);
    appendHistory(file, runs, two!);
    assert.equal(
      readHistory(file).runs.map(({ runId }) => runId),
      ['one', 'two'],
    );
  }));

test('the green run to compare with has the same scenarios, if there is one', () => {
  const named = (runId: string, minute: number, ...names: string[]) => {
    const results = run(0, { runId, startedAt: at(minute) });
    const [scenario] = results.scenarios;
    return summarizeRun({ ...results, scenarios: names.map((name) => ({ ...scenario!, name })) });
  };
  const now = named('now', 9, 'a', 'b');
  const both = named('both', 1, 'a', 'b', 'c');
  const half = named('half', 2, 'a');
  const other = named('other', 3, 'x');
  const table: [string, Parameters<typeof greenFor>[0], string | undefined][] = [
    ['all of them before a newer half', [both, half, other], 'both'],
    ['half before nothing', [half, other], 'half'],
    ['other scenarios say nothing', [other], undefined],
  ];
  for (const [name, runs, expected] of table) assert.is(greenFor(runs, now)?.runId, expected, name);
});

test.run();
