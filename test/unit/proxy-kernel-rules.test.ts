// kube-proxy's decisions as rules for the kernel.
import * as assert from 'uvu/assert';
import { kernelRules } from '../../emulator/proxy/kernel-rules.ts';
import type { ServicePort } from '../../emulator/proxy/service-table.ts';
import { suite } from '../suite.ts';

const test = suite('kernel rules');
const place = { name: 'node1', sources: ['10.20.76.0-10.20.135.255'], nodeAddress: '10.20.0.11' };
const pod = (octet: number) => ({ ip: `10.20.16.${octet}`, port: 8080 });
const entry = (changes: Partial<ServicePort> = {}): ServicePort => ({
  namespace: 'shop',
  service: 'web',
  port: 80,
  clusterIP: '10.20.1.1',
  nodePort: undefined,
  sticky: false,
  endpoints: [pod(1), pod(2)],
  externalEndpoints: [],
  drops: false,
  externalDrops: false,
  ...changes,
});

test('a connection goes to one endpoint at random, before it is made', () => {
  const rules = kernelRules(place, [entry()], new Set());
  assert.match(rules, 'numgen random mod 2 vmap { 0 : goto s0e0, 1 : goto s0e1 }');
  assert.match(rules, 'dnat to 10.20.16.2:8080');
  assert.match(rules, '10.20.1.1 . 80 : goto s0');
  assert.match(rules, 'ip saddr { 10.20.76.0-10.20.135.255 }');
  assert.match(rules, /^table ip node1\ndelete table ip node1\n/);
});

test('no endpoint: refused; policy Local without a local one: dropped', () => {
  assert.match(kernelRules(place, [entry({ endpoints: [] })], new Set()), '{ 10.20.1.1 . 80 } reject');
  assert.match(
    kernelRules(place, [entry({ endpoints: [], drops: true })], new Set()),
    '{ 10.20.1.1 . 80 } drop',
  );
});

test('a node port is on its node, for whoever comes', () => {
  const rules = kernelRules(place, [entry({ nodePort: 30_000, externalEndpoints: [pod(2)] })], new Set());
  assert.match(rules, /^ip daddr \. tcp dport vmap \{ 10\.20\.0\.11 \. 30000 : goto s1 \}$/m);
  const elsewhere = entry({ nodePort: 30_000, externalDrops: true });
  assert.match(kernelRules(place, [elsewhere], new Set()), '{ 10.20.0.11 . 30000 } drop');
  assert.match(kernelRules(place, [entry({ nodePort: 30_000 })], new Set()), '{ 10.20.0.11 . 30000 } reject');
});

test('session affinity outlives new rules for the endpoints that stay', () => {
  const known = new Set<string>();
  const rules = kernelRules(place, [entry({ sticky: true })], known);
  assert.match(rules, /^table ip node1\nflush table ip node1\n/);
  const set = 'a_in_shop_web_80_10_20_16_1_8080';
  assert.match(rules, `ip saddr @${set} goto s0e0`);
  assert.ok(known.has(set));
  kernelRules(place, [entry({ sticky: true, endpoints: [pod(2)] })], known);
  assert.not.ok(known.has(set));
});

test.run();
