import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import * as assert from 'uvu/assert';
import { Routes } from '../../harness/load/routes.ts';
import { suite } from '../suite.ts';

const test = suite('routes');

test('a table that is none is told, and the one before it stays', async () => {
  let send: ((line: string) => void) | undefined;
  const server = http.createServer((_request, response) => {
    response.flushHeaders();
    send = (line) => void response.write(line);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const routes = new Routes(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, () => 0);
  try {
    const until = async (met: () => boolean) => {
      for (let tries = 0; !met() && tries < 200; tries++) await sleep(10);
      assert.ok(met());
    };
    await until(() => send !== undefined);
    send?.('{"services":{"10.0.0.1:80":[{"ip":"10.1.0.1","port":"80"}]}}\n');
    await until(() => routes.problem !== undefined);
    assert.match(routes.problem ?? '', /^services\.10\.0\.0\.1:80\.0\.port: /);
    assert.is(await routes.ready(50), false);
    send?.('{"services":{"10.0.0.1:80":[{"ip":"10.1.0.1","port":80}]}}\n');
    assert.is(await routes.ready(2000), true);
    assert.is(routes.problem, undefined);
    send?.('{"services":7}\n{"cut');
    await until(() => routes.problem !== undefined);
    assert.equal(routes.of('10.0.0.1', 80)?.(), { host: '10.1.0.1', port: 80 });
  } finally {
    routes.close();
    server.closeAllConnections();
    server.close();
  }
});

test.run();
