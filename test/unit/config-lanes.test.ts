// Lanes of rollproof.yaml that say what they speak: what becomes of them, and what is refused, with its field.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import * as assert from 'uvu/assert';
import { loadConfiguration } from '../../harness/config/load.ts';
import { withLoad } from '../../harness/config/scenario-load.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { defineScenario, lineOfLoad } from '../../harness/model/scenario.ts';
import { suite } from '../suite.ts';

const test = suite('config: lanes');

const scenario = defineScenario({
  id: 'a',
  title: 'a',
  question: 'a?',
  group: 'connections',
  steps: [{ step: 'restart' }],
  claims: [],
}).full;

function inFolder<T>(files: Record<string, string>, use: (folder: string) => T): T {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-lanes-'));
  try {
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    return use(folder);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const lanesOf = (yaml: string, files: Record<string, string> = {}) =>
  inFolder(
    { 'rollproof.yaml': `load:\n  lanes:\n${yaml}`, ...files },
    (folder) => withLoad(scenario, loadConfiguration(undefined, folder).configuration.load).load,
  );

const proto =
  'syntax = "proto3";\npackage shop;\nservice Prices { rpc Get (Ask) returns (Ask); }\nmessage Ask { string item = 1; int32 count = 2; }\n';

test('short names and objects stand side by side; each is a line of its own', () => {
  const loads = lanesOf(
    [
      '    - new',
      '    - {lane: new, protocol: http2}',
      '    - {lane: kept, protocol: grpc, connections: 7, rate: 50, streamsPerConnection: 3}',
      '    - {lane: stream, protocol: websocket, intervalMs: 500, connections: 40}',
      '    - {lane: new, tls: {insecure: true}}',
    ].join('\n'),
  );
  assert.equal(
    loads.map((load) => lineOfLoad(load)),
    ['new', 'http2-new', 'grpc-kept', 'websocket-stream', 'http1+tls-new'],
  );
  assert.equal(
    [loads[2]?.connections, loads[2]?.rate, loads[2]?.streamsPerConnection],
    [7, { shape: 'constant', ratePerSecond: 50 }, 3],
  );
});

const [authority = ''] = rootCertificates;

test('files are read: authorities, and a message by its descriptor', () => {
  const [grpc] = lanesOf(
    `    - {lane: new, protocol: grpc, method: shop.Prices/Get, descriptor: shop.proto, message: '{"item":"tea","count":2}', tls: {ca: ca.pem}}`,
    { 'shop.proto': proto, 'ca.pem': authority },
  );
  assert.is(grpc?.tls?.ca, authority);
  assert.equal(grpc?.grpc, {
    method: 'shop.Prices/Get',
    message: Buffer.from([10, 3, 116, 101, 97, 16, 2]).toString('base64'),
  });
});

const get = '{lane: new, protocol: grpc, method: shop.Prices/Get';
for (const [yaml, expected] of [
  ['    - {lane: kept, protocol: websocket}', /lanes.*websocket.*new, stream/s],
  ['    - {lane: new, protocol: smtp}', /protocol/],
  ['    - new\n    - {lane: new}', /"new" a second time/],
  ['    - {lane: stream, protocol: grpc}', /method.*needs a method/s],
  ['    - {lane: new, tls: {cert: a.pem}}', /load\.lanes\[0\]\.tls: cert and key go together/],
  [
    '    - {lane: new, tls: {ca: shop.proto}}',
    /load\.lanes\[0\]\.tls\.ca: shop\.proto holds no certificate in PEM/,
  ],
  [
    '    - {lane: new, tls: {cert: shop.proto, key: shop.proto}}',
    /load\.lanes\[0\]\.tls\.cert: shop\.proto holds no certificate in PEM that can be used: /,
  ],
  [
    '    - {lane: new, tls: {ca: missing.pem}}',
    /load\.lanes\[0\]\.tls\.ca: .*missing\.pem: there is no such file/,
  ],
  [`    - ${get}, message: '{}'}`, /needs a descriptor/],
  [`    - ${get}, message: '{"size":1}', descriptor: shop.proto}`, /shop\.Ask has no field "size"/],
  [`    - ${get}, message: '{', descriptor: shop.proto}`, /is not JSON/],
  [
    "    - {lane: new, protocol: grpc, method: shop.Prices/Put, message: '{}', descriptor: shop.proto}",
    /no method "Put"; it has Get/,
  ],
  ['    - {lane: new, protocol: grpc, method: nothing}', /not a gRPC method/],
] as const) {
  test(`refused: ${yaml.trim()}`, () => {
    try {
      lanesOf(yaml, { 'shop.proto': proto });
      assert.unreachable('it was taken');
    } catch (error) {
      assert.instance(error, UsageError);
      assert.match((error as Error).message, expected);
    }
  });
}

test.run();
