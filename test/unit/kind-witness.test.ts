// How a node's connection tracking is asked for, with a program that stands in for docker.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as assert from 'uvu/assert';
import { readConntrack } from '../../harness/cluster/kind/witness.ts';
import { type Program, type ProgramOptions, startProgram } from '../../harness/exec/program.ts';
import { suite } from '../suite.ts';

const test = suite('kind: witness');

/** Says these lines, then lives until it is stopped; or ends at once. */
function standIn(lines: readonly string[], ends?: string) {
  const told: { args: readonly string[]; options: ProgramOptions; killed: boolean; written: string[] } = {
    args: [],
    options: {},
    killed: false,
    written: [],
  };
  const start: typeof startProgram = (_file, args, options = {}) => {
    Object.assign(told, { args, options });
    setImmediate(() => {
      for (const line of lines) options.onLine?.(line);
    });
    const end = { how: ends ?? 'was ended', stdout: '', stderr: ends ? 'no such container' : '' };
    const program: Program = {
      ended: ends ? Promise.resolve(end) : new Promise(() => {}),
      write: (line) => void told.written.push(line),
      kill: () => {
        told.killed = true;
      },
      stop: async () => end,
    };
    return program;
  };
  return { start, told };
}

test('its lines come from the first one after "reading"; only entries of the addresses are asked for', async () => {
  const { start, told } = standIn(['reading', 'one', 'two']);
  const lines: string[] = [];
  const request = {
    addresses: ['10.96.0.1:80', '10.96.0.2:8080'],
    onLine: (line: string) => void lines.push(line),
  };
  const witness = await readConntrack('node0', request, start);
  assert.not.ok('cannot' in witness);
  assert.equal(lines, ['one', 'two']);
  assert.is(told.options.keepOutput, false, 'what is endless is not kept');
  assert.match(
    told.args.at(-1) ?? '',
    /dst=10\\\.96\\\.0\\\.1 sport=\[0-9\]\+ dport=80 \|dst=10\\\.96\\\.0\\\.2 sport=\[0-9\]\+ dport=8080 /,
  );
  if (!('cannot' in witness)) witness.ask('7');
  assert.equal(told.written, ['7']);
});

test('events of others that come before "reading" are events, and no reason not to read', async () => {
  const early =
    '[1796047106.177943]\t    [NEW] tcp      6 120 SYN_SENT src=127.0.0.1 dst=127.0.0.1 sport=49276 dport=1';
  const { start } = standIn([early, 'reading', 'one']);
  const lines: string[] = [];
  const request = { addresses: ['10.96.0.1:80'], onLine: (line: string) => void lines.push(line) };
  assert.not.ok('cannot' in (await readConntrack('node0', request, start)));
  assert.equal(lines, [early, 'one']);
});

test('a node that cannot say it: a sentence, and nothing stays', async () => {
  const { start, told } = standIn(['no conntrack']);
  const request = { addresses: ['10.96.0.1:80'], onLine: () => {} };
  const witness = await readConntrack('node0', request, start);
  assert.equal(witness, { cannot: 'connection tracking on node node0 cannot be read: no conntrack' });
  assert.is(told.killed, true);
  const gone = await readConntrack('node9', request, standIn([], 'ended with 1').start);
  assert.match('cannot' in gone ? gone.cannot : '', /node9 cannot be read: ended with 1: no such container/);
});

test(
  'with the end of its input all that it started on the node ends, also where no event comes any more',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'rollproof-witness-'));
    const stub = (name: string, text: string) => {
      writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`);
      chmodSync(join(folder, name), 0o755);
    };
    // It writes nothing; and the kernel has a subscriber more at the second look.
    stub('conntrack', `echo $$ > ${folder}/pid; exec sleep 60`);
    stub(
      'grep',
      `[ "$1" = -cE ] || PATH=/usr/bin:/bin exec grep "$@"; [ -s ${folder}/pid ] && echo 1 || echo 0`,
    );
    try {
      const here: typeof startProgram = (_, args, options) =>
        startProgram('bash', args.slice(args.indexOf('bash') + 1), {
          ...options,
          onlyEnv: { PATH: `${folder}:/usr/bin:/bin` },
        });
      const witness = await readConntrack('node0', { addresses: ['10.96.0.1:80'], onLine: () => {} }, here);
      assert.not.ok('cannot' in witness, 'cannot' in witness ? witness.cannot : '');
      const pid = Number(readFileSync(join(folder, 'pid'), 'utf8'));
      assert.ok(pid > 0);
      if (!('cannot' in witness)) await witness.stop();
      const deadline = performance.now() + 5000;
      while (isRunning(pid) && performance.now() < deadline)
        await new Promise((resolve) => setTimeout(resolve, 5));
      assert.not.ok(isRunning(pid), 'conntrack goes on');
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
  process.platform === 'linux' ? {} : { skip: 'a node is Linux' },
);

/** Also false for one that has ended and that nobody has waited for. */
function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

test.run();
