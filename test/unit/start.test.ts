import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import * as assert from 'uvu/assert';
import { registerCommands } from '../../harness/commands/index.ts';
import { summaries } from '../../harness/commands/summaries.ts';
import { root } from '../rollproof.ts';
import { suite } from '../suite.ts';

const test = suite('start');

test('the Node.js that is too old is what package.json says', async () => {
  const { isTooOld } = (await import(new URL('../../scripts/start.mjs', import.meta.url).href)) as {
    isTooOld(version: string): boolean;
  };
  const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    engines: { node: string };
  };
  assert.is(manifest.engines.node, '>=20.20');
  const cases: [string, boolean][] = [
    ['18.20.8', true],
    ['20.11.0', true],
    ['20.19.6', true],
    ['20.20.0', false],
    ['22.1.0', false],
    ['100.0.0', false],
  ];
  for (const [version, expected] of cases) assert.is(isTooOld(version), expected, version);
});

/** What is loaded before anything is done: sources and packages that are imported statically, types apart. */
function loadedBy(entry: string): {
  readonly sources: readonly string[];
  readonly packages: readonly string[];
} {
  const sources = new Set<string>();
  const packages = new Set<string>();
  const visit = (file: string) => {
    if (sources.has(file)) return;
    sources.add(file);
    const text = readFileSync(file, 'utf8').replace(/^import type [^;]*;/gm, '');
    for (const [, from] of text.matchAll(/^(?:import|export|\}) [^;]*?from '([^']+)';$/gm)) {
      if (from?.startsWith('.')) visit(join(dirname(file), from));
      else if (!from?.startsWith('node:')) packages.add(from as string);
    }
  };
  visit(join(root, entry));
  return { sources: [...sources], packages: [...packages].sort() };
}

test('version and help load a handful of files, a check no more than it needs', () => {
  const program = loadedBy('harness/cli.ts');
  assert.equal(program.packages, ['commander']);
  assert.ok(program.sources.length <= 10, program.sources.join('\n'));
  const check = loadedBy('harness/commands/check-entry.ts');
  assert.equal(check.packages, ['commander', 'yaml', 'zod']);
  assert.ok(check.sources.every((file) => existsSync(file)));
});

test('a command is loaded when it is named, and says of itself what the help says', async () => {
  // Two that load in no time: the others are told apart by the compiler, and run in tests of their own.
  for (const name of ['check', 'compare'] as const) {
    const program = new Command('rollproof');
    await registerCommands(program, [name, 'x', '--', 'verify']);
    assert.equal(
      program.commands.map((command) => [command.name(), command.description()]),
      Object.entries(summaries),
    );
    const named = program.commands.find((command) => command.name() === name);
    assert.is(named?.description(), summaries[name]);
    const defined = (command: Command | undefined) =>
      (command?.options.length ?? 0) + (command?.commands.length ?? 0) > 0;
    assert.ok(defined(named), `${name} is not loaded`);
    assert.not.ok(program.commands.some((command) => command !== named && defined(command)));
  }
});

test.run();
