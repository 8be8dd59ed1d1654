// Many watchers of one resource, for scripts/emulator-size.ts: counts what each gets. A line on standard output when all
// are open, and when all have so many events; arguments: URL of the watch, token, watchers, events.
import { Agent, request } from 'node:http';

const [url = '', token = '', watchers = '', events = ''] = process.argv.slice(2);
const wanted = Number(events);
const agent = new Agent({ maxSockets: Number.POSITIVE_INFINITY, keepAlive: true });
const newline = '\n'.charCodeAt(0);
let open = 0;
let done = 0;
let bytes = 0;
for (let index = 0; index < Number(watchers); index++) {
  const asked = request(url, { agent, headers: { authorization: `Bearer ${token}` } });
  asked.on('error', fail);
  asked.on('response', (response) => {
    if (response.statusCode !== 200) fail(new Error(`a watch got ${response.statusCode}`));
    if (++open === Number(watchers)) process.stdout.write('open\n');
    let count = 0;
    response.on('data', (chunk) => {
      bytes += chunk.length;
      for (let at = chunk.indexOf(newline); at >= 0; at = chunk.indexOf(newline, at + 1)) count++;
      if (count < wanted || count === Number.POSITIVE_INFINITY) return;
      count = Number.POSITIVE_INFINITY;
      if (++done === Number(watchers)) process.stdout.write(`all ${bytes}\n`);
    });
    response.on('close', () => {
      if (done < Number(watchers)) fail(new Error('a watch ended early'));
    });
  });
  asked.end();
}

function fail(error) {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
}
