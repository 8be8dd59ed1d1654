// A run's folder, sealed as a run seals it, and what `rollproof audit` says of it when something was changed. That 1,000
// changed journals are all noticed is test/slow/audit-mutations.test.ts.
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { UsageError } from '../../harness/model/errors.ts';
import { auditFolder } from '../../harness/run/audit.ts';
import { judgeFolder } from '../../harness/run/judge-folder.ts';
import { readResumed } from '../../harness/run/resume.ts';
import { asSealed, sealedRun } from '../data/sealed-run.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('audit');

interface Run {
  readonly folder: string;
  readonly seal: string;
  readonly journal: string;
  lines(): string[];
  write(lines: readonly string[], file?: string): void;
}

const inRun = (act: (run: Run) => Promise<void>) => () =>
  inTemporaryFolder(async (folder) => {
    const { seal, journals } = await sealedRun(folder);
    const journal = journals[0] as string;
    await act({
      folder,
      seal,
      journal,
      lines: () => readFileSync(join(folder, journal), 'utf8').trimEnd().split('\n'),
      write: (lines, file = journal) => writeFileSync(join(folder, file), `${lines.join('\n')}\n`),
    });
  });

const unsealedLine = (line: string): string => line.replace(/,"seal":"[0-9a-f]{64}"\}$/, '}');

test(
  'an untouched run holds: figures, verdicts and page follow, and the seal is the one it printed',
  inRun(async ({ folder, seal }) => {
    const audit = await auditFolder(folder, seal);
    assert.equal(audit.findings, []);
    assert.equal([audit.figures, audit.verdict, audit.page, audit.exitCode], ['yes', 'yes', 'yes', 0]);
    assert.is(audit.seal, seal);
    assert.ok(readFileSync(join(folder, 'index.html'), 'utf8').includes(seal));
    assert.ok(readFileSync(join(folder, 'summary.md'), 'utf8').includes(seal));
  }),
);

/** Each changes the folder; the findings must have the kind and the place. */
const changes: Readonly<Record<string, readonly [act: (run: Run) => void, expected: RegExp]>> = {
  'a line changed': [
    (run) => run.write(run.lines().map((line, at) => (at === 9 ? line.replace('{', '{ ') : line))),
    /changed journals\/a\.ndjson:10: its seal does not follow/,
  ],
  'a line removed': [
    (run) => run.write(run.lines().toSpliced(9, 1)),
    /removed journals\/a\.ndjson:10: .*1 of \d+ lines are missing/,
  ],
  'a line moved': [
    (run) => {
      const lines = run.lines();
      run.write(lines.toSpliced(3, 1).toSpliced(8, 0, lines[3] as string));
    },
    /moved journals\/a\.ndjson:9: it was moved: it was written after line 3/,
  ],
  'a line twice': [
    (run) => run.write(run.lines().toSpliced(9, 0, run.lines()[8] as string)),
    /added journals\/a\.ndjson:10: it is line 9 once more/,
  ],
  'a line added without a seal': [
    (run) => run.write(run.lines().toSpliced(9, 0, '{"type":"note","t":1,"level":"info","text":"x"}')),
    /added journals\/a\.ndjson:10: it has no seal/,
  ],
  'a line added with a seal': [
    (run) =>
      run.write(
        run.lines().toSpliced(9, 0, `{"type":"note","t":1,"level":"info","seal":"${'a'.repeat(64)}"}`),
      ),
    /added journals\/a\.ndjson:10: it was added: the chain goes on around it/,
  ],
  'the tail cut off': [
    (run) => run.write(run.lines().slice(0, -3)),
    /truncated journals\/a\.ndjson:\d+: the journal ends here without a record of type "end"/,
  ],
  'half of the last line': [
    (run) => {
      const text = readFileSync(join(run.folder, run.journal), 'utf8');
      writeFileSync(join(run.folder, run.journal), text.slice(0, -40));
    },
    /truncated journals\/a\.ndjson:\d+: the journal is cut off in the middle/,
  ],
  'all seals taken out': [
    (run) => run.write(run.lines().map(unsealedLine)),
    /unsealed journals\/a\.ndjson: its lines carry no seals.*changed journals\/a\.ndjson: it is not the file that was sealed/s,
  ],
  'sealed anew after a change': [
    (run) =>
      run.write(
        asSealed(
          run
            .lines()
            .map(unsealedLine)
            .map((line) => line.replace('"seed":1,', '"seed":2,')),
        ),
      ),
    /^changed journals\/a\.ndjson: it is not the file that was sealed/,
  ],
  'a journal removed': [
    (run) => rmSync(join(run.folder, run.journal)),
    /removed journals\/a\.ndjson: it was sealed with \d+ bytes and is not there/,
  ],
  'a journal renamed': [
    (run) => renameSync(join(run.folder, run.journal), join(run.folder, 'journals/c.ndjson')),
    /moved journals\/a\.ndjson: it is journals\/c\.ndjson now/,
  ],
  'a journal added': [
    (run) => run.write(run.lines().with(0, '{}'), 'journals/c.ndjson'),
    /added journals\/c\.ndjson: it is not in the seal/,
  ],
  'run.json changed': [
    (run) => {
      const file = join(run.folder, 'run.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace('"loadMs": ', '"loadMs": 1'));
    },
    /changed run\.json: it is not the file that was sealed/,
  ],
  'a figure changed in results.json': [
    (run) => {
      const file = join(run.folder, 'results.json');
      const results = JSON.parse(readFileSync(file, 'utf8'));
      results.scenarios[0].experiments[0].lanes.new.lost = 0;
      writeFileSync(file, JSON.stringify(results));
    },
    /does-not-follow results\.json: scenarios\.0\.experiments\.0\.lanes\.new\.lost is 0; the journals give \d+$/m,
  ],
  'the verdict changed in results.json': [
    (run) => {
      const file = join(run.folder, 'results.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace(/"exitCode": \d+/, '"exitCode": 99'));
    },
    /does-not-follow results\.json: exitCode is 99; the journals give \d$/m,
  ],
  'the page changed': [
    (run) => {
      const file = join(run.folder, 'index.html');
      writeFileSync(file, readFileSync(file, 'utf8').replace('</h1>', '!</h1>'));
    },
    /does-not-follow index\.html: it is not what the journals give/,
  ],
  'the page removed': [
    (run) => rmSync(join(run.folder, 'index.html')),
    /removed index\.html: it was sealed and is not there/,
  ],
  'the seal damaged': [
    (run) => writeFileSync(join(run.folder, 'seal.json'), '{'),
    /changed seal\.json: .*cannot be read/,
  ],
  'the seal’s root changed': [
    (run) => {
      const file = join(run.folder, 'seal.json');
      writeFileSync(file, readFileSync(file, 'utf8').replace(run.seal, 'b'.repeat(64)));
    },
    /changed seal\.json: .*field root: it does not follow/,
  ],
};

for (const [name, [act, expected]] of Object.entries(changes)) {
  test(
    `noticed: ${name}`,
    inRun(async (run) => {
      act(run);
      const audit = await auditFolder(run.folder);
      const text = audit.findings
        .map(
          ({ kind, file, line, text }) => `${kind} ${file}${line === undefined ? '' : `:${line}`}: ${text}`,
        )
        .join('\n');
      assert.match(text, expected, text);
      assert.is(audit.exitCode, 1, text);
    }),
  );
}

test(
  'evidence and seal made anew together: the folder holds in itself, the noted seal tells',
  inRun(async ({ folder, seal, lines, write }) => {
    const changed = lines().map(unsealedLine);
    write(asSealed(changed.map((line, at) => (at === 0 ? line.replace('"seed":1,', '"seed":2,') : line))));
    rmSync(join(folder, 'seal.json'));
    const facts = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8'));
    await judgeFolder(folder, { facts });
    assert.is((await auditFolder(folder)).exitCode, 0);
    const { findings, exitCode } = await auditFolder(folder, seal);
    assert.is(exitCode, 1);
    assert.match(
      findings[0]?.text ?? '',
      /was expected: evidence and seal were changed together, or it is another run/,
    );
  }),
);

test(
  'without a seal nothing is said to hold, and judging again makes none',
  inRun(async ({ folder }) => {
    rmSync(join(folder, 'seal.json'));
    await judgeFolder(folder);
    const audit = await auditFolder(folder);
    assert.is(audit.exitCode, 2);
    assert.equal([audit.figures, audit.verdict, audit.page], ['yes', 'yes', 'yes']);
    assert.equal(
      audit.findings.map(({ kind, file }) => `${kind} ${file}`),
      ['unsealed seal.json'],
    );
  }),
);

test(
  'reports made anew are sealed anew, the evidence keeps its seal; changed evidence is neither judged nor resumed',
  inRun(async ({ folder, seal, lines, write }) => {
    rmSync(join(folder, 'index.html'));
    await judgeFolder(folder, { formats: ['html'] });
    assert.equal([(await auditFolder(folder, seal)).exitCode], [0]);
    write(
      asSealed(
        lines()
          .map(unsealedLine)
          .map((line) => line.replace('"seed":1,', '"seed":2,')),
      ),
    );
    for (const act of [() => judgeFolder(folder), () => readResumed(folder)]) {
      const error: unknown = await act().catch((reason: unknown) => reason);
      assert.instance(error, UsageError);
      assert.match((error as Error).message, /journals\/a\.ndjson is not as it was sealed/);
    }
  }),
);

test(
  'a folder in the place of a journal: it is not there any more',
  inRun(async ({ folder, journal }) => {
    rmSync(join(folder, journal));
    mkdirSync(join(folder, journal));
    const error: unknown = await judgeFolder(folder).catch((reason: unknown) => reason);
    assert.instance(error, UsageError);
    assert.match((error as Error).message, /a\.ndjson is sealed and is not there any more/);
  }),
);

test('what is no folder of a run is told', () =>
  inTemporaryFolder(async (folder) => {
    for (const [path, message] of [
      [folder, /has neither run\.json nor journals nor seal\.json/],
      [join(folder, 'no'), /there is no such folder/],
    ] as const) {
      const error: unknown = await auditFolder(path).catch((reason: unknown) => reason);
      assert.instance(error, UsageError);
      assert.match((error as Error).message, message);
    }
  }));

test.run();
