import * as assert from 'uvu/assert';
import { factsSchema } from '../../harness/model/facts.ts';
import type { Manifest } from '../../harness/model/manifest.ts';
import { redactArguments, redacted, redactManifest, redactValue } from '../../harness/record/redact.ts';
import { reduceObject } from '../../harness/record/reduce.ts';
import { suite } from '../suite.ts';

const test = suite('redact');
const planted = 'hunter2-planted-secret';

const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: {
    name: 'shop',
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': `{"password":"${planted}"}` },
  },
  spec: {
    template: {
      spec: {
        containers: [
          {
            name: 'app',
            image: 'shop:1',
            env: [
              { name: 'DB_PASSWORD', value: planted },
              { name: 'MODE', value: planted },
              { name: 'FROM', valueFrom: { secretKeyRef: { name: 'db', key: 'password' } } },
            ],
            readinessProbe: {
              httpGet: { path: '/', port: 80, httpHeaders: [{ name: 'Authorization', value: planted }] },
            },
          },
        ],
      },
    },
  },
};

test('a foreign manifest keeps no environment value, header value or copy of itself', () => {
  const text = JSON.stringify(redactManifest(deployment, false));
  assert.not.match(text, planted);
  assert.match(text, '"secretKeyRef"');
  assert.match(text, 'DB_PASSWORD');
});

test('our own environment stays, but for names of secrets', () => {
  const text = JSON.stringify(redactManifest(deployment, true));
  assert.is(text.split(planted).length - 1, 1, 'MODE alone keeps its value');
});

test('data of Secrets, and of ConfigMaps that are somebody else’s, keeps its keys alone', () => {
  const table = [
    ['Secret', true, true],
    ['Secret', false, true],
    ['ConfigMap', false, true],
    ['ConfigMap', true, false],
  ] as const;
  for (const [kind, disclosed, hidden] of table) {
    const manifest = {
      apiVersion: 'v1',
      kind,
      metadata: { name: 'x' },
      data: { key: planted },
      stringData: { other: planted },
    };
    const text = JSON.stringify(redactManifest(manifest, disclosed));
    assert.is(!text.includes(planted), hidden, `${kind}, ${disclosed}`);
    assert.match(text, 'other');
  }
});

test('the input is not changed', () => {
  const before = JSON.stringify(deployment);
  redactManifest(deployment, false);
  assert.is(JSON.stringify(deployment), before);
});

test('arguments: values of headers, bodies and secret flags, credentials in URLs', () => {
  const table: [string[], string[]][] = [
    [
      ['load', 'http://user:pw@host/x'],
      ['load', `http://${redacted}@host/x`],
    ],
    [
      ['--header', `Authorization: ${planted}`, '--rate', '5'],
      ['--header', redacted, '--rate', '5'],
    ],
    [[`--header=Cookie: ${planted}`], [`--header=${redacted}`]],
    [
      ['--token', planted],
      ['--token', redacted],
    ],
    [
      ['--scenario', 'image-change'],
      ['--scenario', 'image-change'],
    ],
    // Of somebody's own command after `watch … --`.
    [
      ['helm', 'upgrade', 'web', './chart', '--set', `db.user=me,db.password=${planted},replicas=3`],
      ['helm', 'upgrade', 'web', './chart', '--set', `db.user=me,db.password=${redacted},replicas=3`],
    ],
    [[`--set=apiToken=${planted}`], [`--set=apiToken=${redacted}`]],
    [
      ['sh', '-c', `kubectl set env deployment/web DB_PASSWORD=${planted} A=b`],
      ['sh', '-c', `kubectl set env deployment/web DB_PASSWORD=${redacted} A=b`],
    ],
  ];
  for (const [args, expected] of table) assert.equal(redactArguments(args), expected);
});

test('configuration and plans: headers, env and fields with secret names', () => {
  const value = {
    target: { headers: { 'X-Any': planted }, path: '/health' },
    images: { app: { command: ['run', '--token', planted], env: { ANY: planted } } },
    body: `{"anything":"${planted}"}`,
    apiKey: planted,
    url: `https://u:${planted}@host/`,
  };
  const text = JSON.stringify(redactValue(value));
  assert.not.match(text, planted);
  assert.match(text, '/health');
});

test('what is recorded of a pod has no environment at all', () => {
  const facts = reduceObject('Pod', {
    metadata: { name: 'p', labels: { 'rollproof.dev/role': 'target' } },
    spec: { nodeName: 'n', containers: [{ name: 'app', env: [{ name: 'X', value: planted }] }] },
    status: { phase: 'Running', podIP: '10.0.0.1', conditions: [{ type: 'Ready', status: 'True' }] },
  });
  assert.not.match(JSON.stringify(facts), planted);
  assert.is(facts?.kind === 'Pod' && facts.ready, true);
});

test('null, which the API says for a time that it does not know, is no fact', () => {
  const state = {
    terminated: { reason: 'ContainerStatusUnknown', exitCode: 137, startedAt: null, finishedAt: null },
  };
  const facts = reduceObject('Pod', {
    metadata: { name: 'p' },
    status: { phase: 'Failed', containerStatuses: [{ name: 'app', image: 'a:1', state }] },
  });
  const read = factsSchema.parse(JSON.parse(JSON.stringify(facts)));
  assert.is(read.kind === 'Pod' && read.containers[0]?.state, 'terminated');
});

interface Told {
  readonly command: string[];
  readonly args: string[];
  readonly lifecycle: { readonly preStop: { readonly exec: { readonly command: string[] } } };
}

test('what containers are told, query strings, and passwords with an @ in them', () => {
  const urls: [string, string][] = [
    ['postgres://me:p@ss@w0rd@db:5432/x', `postgres://${redacted}@db:5432/x`],
    ['https://api/x?token=abc&page=2', `https://api/x?token=${redacted}&page=2`],
    ['https://api/x?page=2&access_token=abc#top', `https://api/x?page=2&access_token=${redacted}#top`],
    ['https://blob/x?sv=1&sig=a%2Bb', `https://blob/x?sv=1&sig=${redacted}`],
    ['https://api/x?page=2', 'https://api/x?page=2'],
    ['mail me@example.org', 'mail me@example.org'],
  ];
  for (const [given, expected] of urls) assert.is(redactValue(given), expected, given);
  const told: [string[], string[]][] = [
    [
      ['--port', '80', '--db-password', 'hunter2'],
      ['--port', '80', '--db-password', redacted],
    ],
    [
      ['--api-key=hunter2', '-v'],
      [`--api-key=${redacted}`, '-v'],
    ],
    [
      ['-c', 'DB_PASSWORD=hunter2 run --token hunter2 --port 80'],
      ['-c', `DB_PASSWORD=${redacted} run --token ${redacted} --port 80`],
    ],
    [
      ['-c', `curl -H "Authorization: Bearer hunter2" -H 'X-Api-Key: hunter2' http://127.0.0.1/drain`],
      ['-c', `curl -H "Authorization: ${redacted}" -H 'X-Api-Key: ${redacted}' http://127.0.0.1/drain`],
    ],
    [
      ['-c', `curl -u me:hunter2 -d '{"password":"hunter2","wait":5}' http://127.0.0.1/drain`],
      ['-c', `curl -u me:${redacted} -d '{"password":"${redacted}","wait":5}' http://127.0.0.1/drain`],
    ],
    [
      ['curl', '--user', 'me:hunter2', '--header', 'Cookie: hunter2', 'http://127.0.0.1/drain?wait=5'],
      ['curl', '--user', `me:${redacted}`, '--header', redacted, 'http://127.0.0.1/drain?wait=5'],
    ],
    [
      ['-c', 'redis-cli -h localhost -a hunter2 ping; MYSQL_PWD=hunter2 mysqladmin -u root -phunter2 ping'],
      [
        '-c',
        `redis-cli -h localhost -a ${redacted} ping; MYSQL_PWD=${redacted} mysqladmin -u root -p${redacted} ping`,
      ],
    ],
    [
      ['/usr/bin/redis-cli', '-a', 'hunter2', 'ping'],
      ['/usr/bin/redis-cli', '-a', redacted, 'ping'],
    ],
    [
      ['mysqladmin', '-u', 'root', '-phunter2', 'ping'],
      ['mysqladmin', '-u', 'root', `-p${redacted}`, 'ping'],
    ],
    [
      ['-c', 'mkdir -p /tmp/x && tar -a -p 5 && grep -u me:file x; kill -USR1 1'],
      ['-c', 'mkdir -p /tmp/x && tar -a -p 5 && grep -u me:(redacted) x; kill -USR1 1'],
    ],
    [
      ['-c', 'TOKEN=hun,ter2 su app -c "DB_PASSWORD=hun,ter2 ./run" && tool --set a=1,b.secret=hun,ter2,c=3'],
      [
        '-c',
        `TOKEN=${redacted} su app -c "DB_PASSWORD=${redacted} ./run" && tool --set a=1,b.secret=${redacted},c=3`,
      ],
    ],
    [
      [
        '-c',
        String.raw`curl -H "Authorization: hun,ter2" -d "{\"password\":\"hun,ter2\",\"x\":1}" -d '{"token":"a,b"}'`,
      ],
      [
        '-c',
        String.raw`curl -H "Authorization: ${redacted}" -d "{\"password\":\"${redacted}\",\"x\":1}" -d '{"token":"${redacted}"}'`,
      ],
    ],
    [
      ['-c', 'export TOKEN=hunter2 && env DB_PASSWORD="a b" run --from-literal=password=hun,ter2'],
      [
        '-c',
        `export TOKEN=${redacted} && env DB_PASSWORD=${redacted} run --from-literal=password=${redacted}`,
      ],
    ],
    [
      ['--upstream=http://token-api.shop:8080/x', '--image', 'registry/secret-tool:2', 'shop/cookie-jar:80'],
      ['--upstream=http://token-api.shop:8080/x', '--image', 'registry/secret-tool:2', 'shop/cookie-jar:80'],
    ],
    [
      ['-c', 'sleep 5; exec server'],
      ['-c', 'sleep 5; exec server'],
    ],
  ];
  for (const [given, expected] of told) {
    const manifest = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p' },
      spec: {
        containers: [
          {
            name: 'c',
            command: given,
            args: given,
            lifecycle: { preStop: { exec: { command: given } } },
          },
        ],
      },
    } as unknown as Manifest;
    for (const disclosed of [true, false]) {
      const [container] = (redactManifest(manifest, disclosed).spec as unknown as { containers: [Told] })
        .containers;
      for (const words of [container.command, container.args, container.lifecycle.preStop.exec.command])
        assert.equal(words, expected);
    }
  }
});

test('a long word takes no long time', () => {
  const startedAt = performance.now();
  redactArguments(['-c', `echo ${'QUJD'.repeat(25_000)} | base64 -d > /app.jar`]);
  assert.ok(performance.now() - startedAt < 2000);
});

test('of init containers those are recorded that go on beside the others', () => {
  const state = { running: { startedAt: '2026-01-01T00:00:00Z' } };
  const facts = reduceObject('Pod', {
    metadata: { name: 'a' },
    spec: { initContainers: [{ name: 'migrate' }, { name: 'proxy', restartPolicy: 'Always' }] },
    status: {
      initContainerStatuses: [
        { name: 'migrate', image: 'm', state },
        { name: 'proxy', image: 'p', state },
      ],
    },
  });
  assert.equal(facts?.kind === 'Pod' && facts.sidecars?.map(({ name, state: how }) => [name, how]), [
    ['proxy', 'running'],
  ]);
});

test.run();
