// Names of Services in pods, as CoreDNS answers them.
import * as assert from 'uvu/assert';
import type { EndpointSlice, Service } from '../../emulator/api/types.ts';
import { answer, type Names } from '../../emulator/proxy/name-server.ts';
import { suite } from '../suite.ts';

const test = suite('name server');

const services: Record<string, object> = {
  'shop/web': { spec: { clusterIP: '10.20.1.1', ports: [{ name: 'http', port: 80 }] } },
  'shop/away': { spec: { type: 'ExternalName', externalName: 'example.com.' } },
  'shop/alias': { spec: { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local' } },
  'shop/circle': { spec: { type: 'ExternalName', externalName: 'circle.shop.svc.cluster.local' } },
  'shop/db': { spec: { clusterIP: 'None', ports: [{ port: 5432 }] } },
};
const names: Names = {
  service: (namespace, name) => services[`${namespace}/${name}`] as Service | undefined,
  slices: (_namespace, service) =>
    service === 'db'
      ? [
          {
            endpoints: [
              { addresses: ['10.20.16.1'], hostname: 'db-0', conditions: { ready: true } },
              { addresses: ['10.20.16.2'], hostname: 'db-1', conditions: { ready: false } },
            ],
          } as unknown as EndpointSlice,
        ]
      : [],
};

function query(name: string, kind: number): Buffer {
  const head = Buffer.from([0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const labels = name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label)]));
  return Buffer.concat([head, ...labels, Buffer.from([0, kind >> 8, kind & 255, 0, 1])]);
}

/** Status and the last bytes of each record: addresses as text. */
function ask(name: string, kind = 1): { status: number; addresses: string[] } {
  const question = query(name, kind);
  const reply = answer(question, names) as Buffer;
  assert.is(reply.readUInt16BE(0), 0x1234);
  const count = reply.readUInt16BE(6);
  const addresses: string[] = [];
  let at = question.length;
  for (let i = 0; i < count; i++) {
    const length = reply.readUInt16BE(at + 10);
    addresses.push([...reply.subarray(at + 12, at + 12 + length)].join('.'));
    at += 12 + length;
  }
  return { status: (reply[3] as number) & 15, addresses };
}

const cases: readonly [string, number, number, string[]][] = [
  ['web.shop.svc.cluster.local', 1, 0, ['10.20.1.1']],
  ['WEB.Shop.svc.cluster.local', 1, 0, ['10.20.1.1']],
  ['web.shop.svc.cluster.local', 28, 0, []],
  ['db.shop.svc.cluster.local', 1, 0, ['10.20.16.1']],
  ['db-0.db.shop.svc.cluster.local', 1, 0, ['10.20.16.1']],
  ['db-1.db.shop.svc.cluster.local', 1, 3, []],
  ['nobody.shop.svc.cluster.local', 1, 3, []],
  ['web.shop', 1, 3, []],
  ['example.com', 1, 3, []],
];
for (const [name, kind, status, addresses] of cases) {
  test(`${name}, type ${kind}`, () => assert.equal(ask(name, kind), { status, addresses }));
}

test('SRV of a named port names port and Service', () => {
  const reply = answer(query('_http._tcp.web.shop.svc.cluster.local', 33), names) as Buffer;
  assert.is(reply.readUInt16BE(6), 1);
  assert.ok(reply.includes(Buffer.from([0, 0, 0, 100, 0, 80, 3])), 'priority 0, weight 100, port 80');
  assert.ok(reply.includes('cluster'));
});

test('what is no query gets nothing or a format error', () => {
  assert.is(answer(Buffer.alloc(5), names), undefined);
  const broken = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 60]);
  assert.is(((answer(broken, names) as Buffer)[3] as number) & 15, 1);
});

/** Of an answer, in order: type and content of its records, names as they are written out. */
function records(name: string, kind = 1): string[] {
  const question = query(name, kind);
  const reply = answer(question, names) as Buffer;
  const found: string[] = [];
  let at = question.length;
  const text = (from: number): [string, number] => {
    const labels: string[] = [];
    let place = from;
    for (let length = reply[place] ?? 0; length > 0; length = reply[place] ?? 0) {
      labels.push(reply.toString('latin1', place + 1, place + 1 + length));
      place += 1 + length;
    }
    return [labels.join('.'), place + 1];
  };
  for (let count = reply.readUInt16BE(6); count > 0; count--) {
    const pointed = ((reply[at] ?? 0) & 0xc0) === 0xc0;
    const [owner, next] = pointed ? [name, at + 2] : text(at);
    const length = reply.readUInt16BE(next + 8);
    const data = next + 10;
    const is = reply.readUInt16BE(next);
    found.push(`${owner} ${is === 5 ? text(data)[0] : [...reply.subarray(data, data + length)].join('.')}`);
    at = data + length;
  }
  return found;
}

test('an external name: the other name, and its address where that is here', () => {
  const of = (name: string) => `${name}.shop.svc.cluster.local`;
  assert.equal(records(of('away')), [`${of('away')} example.com`]);
  assert.equal(records(of('alias')), [`${of('alias')} ${of('web')}`, `${of('web')} 10.20.1.1`]);
  assert.equal(records(of('alias'), 28), [`${of('alias')} ${of('web')}`]);
  assert.is(records(of('circle')).length, 8);
  assert.equal(records(`x.${of('away')}`), []);
});

test.run();
