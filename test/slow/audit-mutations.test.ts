// 1,000 journals that were changed afterwards, in one of the ways in which somebody (or a disk) would: `rollproof audit`
// notices each. Three kinds of change: of the file alone; of the file, sealed anew line by line; and of file and run's
// seal together, which only the seal that was noted when the run ended can tell.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { chainOf } from '../../harness/journal/chain.ts';
import { type Audit, auditFolder } from '../../harness/run/audit.ts';
import { sealEvidence, writeSeal } from '../../harness/run/seal-run.ts';
import { asSealed, sealedRun } from '../data/sealed-run.ts';
import fc from '../properties.ts';
import { inTemporaryFolder } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('audit: changed journals', { timeoutMs: 280_000 });

const golden = (name: string): string[] =>
  readFileSync(new URL(`../data/golden/journal-v1-${name}.ndjson`, import.meta.url), 'utf8')
    .trimEnd()
    .split('\n');
const journal = 'journals/a.ndjson';
const mutations = 1000;
/** Each at least this often, so that no kind is left to chance. */
const leastOfEach = 15;

type Bytes = Uint8Array<ArrayBuffer>;
const textOf = (bytes: Bytes): string => Buffer.from(bytes).toString('utf8');
const linesOf = (bytes: Bytes): string[] => textOf(bytes).trimEnd().split('\n');
const bytesOf = (lines: readonly string[]): Bytes => Uint8Array.from(Buffer.from(`${lines.join('\n')}\n`));
const unsealed = (line: string): string => line.replace(/,"seal":"[0-9a-f]{64}"\}$/, '}');
const splice = (bytes: Bytes, at: number, remove: number, put: readonly number[]): Bytes =>
  Uint8Array.from([...bytes.subarray(0, at), ...put, ...bytes.subarray(at + remove)]);

/** `a`, `b`: two places, each 0 to just below 1; `n`: anything. */
type Mutation = (bytes: Bytes, a: number, b: number, n: number) => Bytes;
const lineMutation =
  (change: (lines: string[], i: number, j: number, n: number) => string[]): Mutation =>
  (bytes, a, b, n) => {
    const lines = linesOf(bytes);
    return bytesOf(change(lines, Math.floor(a * lines.length), Math.floor(b * lines.length), n));
  };
/** A number somewhere in a line, changed. */
const otherNumber = (line: string, n: number): string => {
  const numbers = [...line.matchAll(/(?<=[:[,])\d+(?=[,}\]])/g)];
  const found = numbers[n % Math.max(1, numbers.length)];
  if (!found) return line.replace('{', '{"x":1,');
  return (
    line.slice(0, found.index) + (Number(found[0]) + 1 + (n % 7)) + line.slice(found.index + found[0].length)
  );
};

const ofTheFile: Readonly<Record<string, Mutation>> = {
  'a bit': (bytes, a, _, n) => {
    const at = Math.floor(a * bytes.length);
    return bytes.with(at, (bytes[at] as number) ^ (1 << (n % 8)));
  },
  'a byte put in': (bytes, a, _, n) => splice(bytes, Math.floor(a * bytes.length), 0, [n % 256]),
  'a byte taken out': (bytes, a) => splice(bytes, Math.floor(a * bytes.length), 1, []),
  'a stretch of zeros': (bytes, a, _, n) =>
    bytes.slice().fill(0, Math.floor(a * bytes.length), Math.floor(a * bytes.length) + 1 + (n % 4096)),
  'the file cut off': (bytes, a) => bytes.slice(0, Math.floor(a * bytes.length)),
  'the tail cut off at a line': lineMutation((lines, i) => lines.slice(0, Math.max(1, i))),
  'the last line break': (bytes) => bytes.slice(0, -1),
  'an empty line': lineMutation((lines, i) => lines.toSpliced(i, 0, '')),
  'line breaks of Windows': (bytes) => Uint8Array.from(Buffer.from(textOf(bytes).replaceAll('\n', '\r\n'))),
  'a line removed': lineMutation((lines, i) => lines.toSpliced(i, 1)),
  'some lines removed': lineMutation((lines, i, _, n) => lines.toSpliced(i, 2 + (n % 9))),
  'a line moved': lineMutation((lines, i, j) => {
    const to = i === j ? (i + 1) % lines.length : j;
    return lines.toSpliced(i, 1).toSpliced(to, 0, lines[i] as string);
  }),
  'two lines swapped': lineMutation((lines, i, j) => {
    const other = i === j ? (i + 1) % lines.length : j;
    return lines.with(i, lines[other] as string).with(other, lines[i] as string);
  }),
  'a line twice': lineMutation((lines, i, j) => lines.toSpliced(j, 0, lines[i] as string)),
  'a line added': lineMutation((lines, i) =>
    lines.toSpliced(i, 0, '{"type":"note","t":0,"level":"info","text":"x"}'),
  ),
  'a number': lineMutation((lines, i, _, n) => lines.with(i, otherNumber(lines[i] as string, n))),
  'a seal taken out': lineMutation((lines, i) => lines.with(i, unsealed(lines[i] as string))),
  'all seals taken out': lineMutation((lines) => lines.map(unsealed)),
  'fields in another order': lineMutation((lines, i) => {
    const { seal, ...record } = JSON.parse(lines[i] as string);
    const turned = Object.fromEntries(Object.entries(record).reverse());
    return lines.with(i, JSON.stringify({ ...turned, seal }));
  }),
};
/** What somebody would do who knows of the seals. */
const sealedAnew: Readonly<Record<string, Mutation>> = Object.fromEntries(
  (['a number', 'a line removed', 'a line moved', 'a line added', 'the tail cut off at a line'] as const).map(
    (name) => [
      `${name}, sealed anew`,
      (bytes: Bytes, a: number, b: number, n: number) => {
        const lines = linesOf((ofTheFile[name] as Mutation)(bytes, a, b, n)).map(unsealed);
        return bytesOf(asSealed(lines));
      },
    ],
  ),
);
const all = { ...ofTheFile, ...sealedAnew };

const kindsOf = ({ findings }: Audit): string =>
  findings.map(({ kind, file }) => `${kind} ${file}`).join(', ');

test(`${mutations} changed journals are all noticed`, () =>
  inTemporaryFolder(async (folder) => {
    const { seal } = await sealedRun(folder, {
      [journal]: golden('kind-baseline'),
      'journals/b.ndjson': golden('kind-hardened'),
    });
    assert.is((await auditFolder(folder, seal)).exitCode, 0, 'untouched');
    const file = join(folder, journal);
    const run = {
      bytes: Uint8Array.from(readFileSync(file)),
      sealText: readFileSync(join(folder, 'seal.json'), 'utf8'),
      runId: JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')).runId as string,
    };
    const times = new Map<string, number>();
    let tried = 0;
    const place = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...Object.keys(all)),
        place,
        place,
        fc.nat(),
        fc.boolean(),
        async (name, a, b, n, forged) => {
          const changed = (all[name] as Mutation)(run.bytes, a, b, n);
          // A place may be such that nothing changes (a line moved to where it stood).
          fc.pre(!Buffer.from(changed).equals(Buffer.from(run.bytes)));
          tried++;
          times.set(name, (times.get(name) ?? 0) + 1);
          writeFileSync(file, changed);
          writeFileSync(join(folder, 'seal.json'), run.sealText);
          const reseal = forged && Object.hasOwn(sealedAnew, name);
          if (reseal) {
            rmSync(join(folder, 'seal.json'));
            writeSeal(folder, { ...sealEvidence(folder), runId: run.runId }, []);
          }
          const audit = await auditFolder(folder, reseal ? seal : undefined);
          assert.is(audit.exitCode, 1, `${name}: ${kindsOf(audit)}`);
          if (!reseal)
            assert.match(kindsOf(audit), new RegExp(`(changed|truncated|unreadable) ${journal}`), name);
          // Of a file that was changed and not sealed anew the journal alone says so, too.
          if (Object.hasOwn(ofTheFile, name)) {
            const chain = chainOf(changed);
            assert.ok(chain.breaks.length > 0 || chain.sealed === 0, `${name}: the chain holds`);
          }
        },
      ),
      { numRuns: mutations, seed: 7 },
    );
    assert.is(tried, mutations);
    for (const name of Object.keys(all)) {
      assert.ok((times.get(name) ?? 0) >= leastOfEach, `${name}: ${times.get(name)} times`);
    }
  }));

test.run();
