import { readFileSync } from 'node:fs';
import * as assert from 'uvu/assert';
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

test.run();
