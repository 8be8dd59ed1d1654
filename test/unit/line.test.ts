// Names of lines: what is written is read back, and what people mean by a lane's name.
import * as assert from 'uvu/assert';
import {
  inLineOrder,
  type Line,
  lineId,
  linesNamed,
  linesOf,
  parseLineId,
} from '../../harness/model/line.ts';
import { lanes, plainLanes, protocols } from '../../harness/model/load.ts';
import fc from '../properties.ts';
import { suite } from '../suite.ts';

const test = suite('lines');

const anyLine: fc.Arbitrary<Line> = fc
  .record({
    kind: fc.constantFrom(...lanes),
    protocol: fc.constantFrom(...protocols),
    tls: fc.boolean(),
    entry: fc.constantFrom('service', 'node-port', 'outside', 'ingress', 'gateway', 'shop-url'),
    service: fc.option(fc.constantFrom('web', 'worker-api', 'new', 'grpc-kept'), { nil: undefined }),
  })
  .map(({ service, ...rest }) => ({ ...rest, ...(service !== undefined && { service }) }));

test('today’s lines keep their names', () => {
  assert.equal(
    plainLanes.map((kind) => lineId({ kind })),
    ['new', 'kept', 'long'],
  );
  assert.is(lineId({ kind: 'new', entry: 'ingress' }), 'ingress/new');
  assert.is(
    lineId({ kind: 'kept', protocol: 'http2', tls: true, entry: 'ingress', service: 'web' }),
    'web:ingress/http2+tls-kept',
  );
});

test('a line’s id is read back as the line', () => {
  fc.assert(fc.property(anyLine, (line) => assert.equal(parseLineId(lineId(line)), line)));
});

test('what is no line’s id is not read as one', () => {
  for (const id of ['', 'control', 'old', 'http1/', 'ingress/', 'tls-new', '__proto__', 'web:', 'new '])
    assert.is(parseLineId(id), undefined, id);
});

test('the order does not hang on the order in which lines came', () => {
  fc.assert(
    fc.property(fc.array(anyLine, { maxLength: 8 }), (some) => {
      const ids = some.filter(({ entry, service }) => entry === 'service' && !service).map(lineId);
      assert.equal(inLineOrder(ids.toReversed()), inLineOrder(ids));
    }),
  );
  assert.equal(inLineOrder(['ingress/new', 'kept', 'grpc-kept', 'new', 'control', 'new']), [
    'new',
    'kept',
    'grpc-kept',
    'ingress/new',
  ]);
});

test('a kind’s name means its lines through the Service, a line’s id that line', () => {
  const present = ['grpc-kept', 'http2-kept', 'ingress/grpc-kept', 'grpc-new'];
  assert.equal(linesNamed('kept', present), ['http2-kept', 'grpc-kept']);
  assert.equal(linesNamed('kept', [...present, 'kept']), ['kept']);
  assert.equal(linesNamed('ingress/grpc-kept', present), ['ingress/grpc-kept']);
  assert.equal(linesNamed('long', present), []);
});

test('lines of results are those that have figures', () => {
  assert.equal(linesOf([{ lanes: { kept: 1 } }, { lanes: { new: 2, kept: 3 } }]), ['new', 'kept']);
});

test.run();
