// `rollproof load` as a user or a script sees it: table, JSON, exit codes, an interrupt, and the kernel's own count.
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import * as assert from 'uvu/assert';
import { registerLoad } from '../../harness/commands/load.ts';
import { UsageError } from '../../harness/model/errors.ts';
import { startFaultServer } from '../faults/fault-server.ts';
import { suite } from '../suite.ts';

const test = suite('load command', { timeoutMs: 60_000 });

interface Result {
  readonly exit: number | null;
  readonly out: string;
  readonly err: string;
}

function load(
  args: readonly string[],
  options: { interrupt?: boolean; within?: readonly string[] } = {},
): Promise<Result> {
  const [command, ...first] = [...(options.within ?? []), process.execPath];
  return new Promise((resolve, reject) => {
    const child = spawn(command as string, [...first, 'scripts/rollproof.mjs', 'load', ...args], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let out = '';
    let err = '';
    let interrupted = false;
    child.stdout.on('data', (chunk) => {
      out += chunk;
    });
    child.stderr.on('data', (chunk) => {
      err += chunk;
      // The live line says that the load runs.
      if (options.interrupt && !interrupted && err.includes('req/s')) {
        interrupted = true;
        child.kill('SIGINT');
      }
    });
    child.on('error', reject);
    child.on('close', (exit) => resolve({ exit, out, err }));
  });
}

test('table and JSON: the fields that scripts rely on', async () => {
  const server = await startFaultServer({
    plan: (number) => (number >= 30 && number < 40 ? 'RST in the body' : 'length'),
  });
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-load-'));
  const file = join(folder, 'load.json');
  try {
    const { exit, out } = await load([
      `http://127.0.0.1:${server.port}/x`,
      '--rate',
      '100',
      '--duration',
      '1s',
      '--lane',
      'kept',
      // One after the other: the 31st that the server sees is the 31st that was due, however busy the machine is.
      '--connections',
      '1',
      '--timeout',
      '30s',
      '--json',
      file,
    ]);
    assert.is(exit, 0);
    assert.match(out, /attempts +100 +\d+\.\d per second/);
    assert.match(out, /reset +10 +10\.000 %/);
    assert.match(out, /lost +10 /);
    assert.match(out, /longest outage +100\.0 ms +10 lost/);
    const json = JSON.parse(readFileSync(file, 'utf8'));
    assert.equal(
      [
        json.scheduled,
        json.attempts,
        json.shed,
        json.inFlight,
        json.races,
        json.outcomes.ok,
        json.outcomes.reset,
        json.outcomes.aborted,
      ],
      [100, 100, 0, 0, 0, 90, 10, 0],
    );
    assert.equal(json.phases, {
      'reset/body/new': json.phases['reset/body/new'],
      'reset/body/reused': 10 - json.phases['reset/body/new'],
    });
    assert.equal(json.intervals, [{ startMs: 300, endMs: 400, lost: 10 }]);
    assert.is(json.failures.length, 10);
    assert.equal(
      [json.failures[0].tMs, json.failures[0].outcome, json.failures[0].phase],
      [300, 'reset', 'body'],
    );
    assert.is(json.failures[0].connection, 1);
    assert.is(json.buckets.length, 10);
    assert.equal(
      [json.buckets[3].startMs, json.buckets[3].sent, json.buckets[3].outcomes],
      [300, 10, { reset: 10 }],
    );
    for (const key of ['p50', 'p90', 'p99', 'p999', 'max']) assert.type(json.latencyMs[key], 'number');
    for (const key of ['p50', 'p99', 'max']) assert.type(json.sendLagMs[key], 'number');
    assert.ok(json.durationMs >= 1000);
  } finally {
    rmSync(folder, { recursive: true });
    await server.close();
  }
});

test('--json -: standard output carries the JSON alone', async () => {
  const { exit, out, err } = await load([
    'http://127.0.0.1:1/',
    '--rate',
    '50',
    '--duration',
    '1500ms',
    '--json',
    '-',
  ]);
  assert.is(exit, 0, 'whatever was lost');
  assert.is(JSON.parse(out).outcomes.refused, 75);
  assert.match(err, /refused +75 +100\.000 %/);
  assert.match(err, /req\/s .* lost/, 'the live line');
});

test('wrong usage: a sentence, exit 4', async () => {
  const url = 'http://127.0.0.1:1/';
  const table: [string[], RegExp][] = [
    [['127.0.0.1:80'], /is not a URL that a load can go to/],
    [['ftp://127.0.0.1/'], /is not a URL that a load can go to/],
    [['http://'], /is not a URL that a load can go to/],
    [[], /missing required argument/],
    [[url, '--rate', 'fast'], /--rate.*must be a number/s],
    [[url, '--rate', '-1'], /--rate/],
    [[url, '--duration', '3'], /--duration.*with its unit/s],
    [[url, '--timeout', '0s'], /--timeout/],
    [[url, '--lane', 'fast'], /--lane.*new, kept, long/s],
    [[url, '--slots', '1.5'], /--slots/],
    [[url, '--header', 'no colon'], /--header/],
    [[url, '--expect-status', 'ok'], /--expect-status/],
    [[url, '--pod-header', 'a b'], /--pod-header.*name of a header/s],
    [['https://127.0.0.1:1/', '--server-name', 'a b'], /--server-name.*must be a host name/s],
    [[url, '--method', 'NONSENSE'], /not an HTTP method/],
    [[url, '--nonsense'], /unknown option/],
    [[url, '--json', '/nowhere/counts.json'], /--json: \/nowhere\/counts\.json cannot be written/],
    [['https://127.0.0.1:1/', '--ca', 'README.md'], /--ca: README\.md holds no certificate/],
    [['https://127.0.0.1:1/', '--cert', 'README.md', '--key', 'README.md'], /--cert: README\.md holds no/],
  ];
  for (const [args, message] of table) {
    const program = new Command('rollproof');
    registerLoad(program);
    for (const command of program.commands)
      command.exitOverride().configureOutput({ writeErr: () => undefined });
    let told: unknown;
    await program.parseAsync(['node', 'rollproof', 'load', ...args]).catch((error: unknown) => {
      told = error;
    });
    // The command line turns errors of the parser into exit 4, and these into their own code.
    assert.ok(
      told instanceof CommanderError || (told instanceof UsageError && told.exitCode === 4),
      args.join(' '),
    );
    assert.match((told as Error).message, message);
  }
  const help = await load(['--help']);
  assert.match(help.out, /--timeout <time> [^-]*\(default: 3s\)/);
  assert.not.match(help.out, /default: (false|\[\]|\{\})/);
  const { exit, out, err } = await load(['127.0.0.1:80']);
  assert.equal([exit, out], [4, '']);
  assert.match(err, /is not a URL that a load can go to/);
});

test('an interrupt: what is in flight is aborted, the counts are still told, exit 130', async () => {
  const server = await startFaultServer({ plan: () => 'no response' });
  try {
    const { exit, out, err } = await load(
      [
        `http://127.0.0.1:${server.port}/`,
        '--rate',
        '0',
        '--slots',
        '7',
        '--duration',
        '60s',
        '--timeout',
        '50s',
        '--json',
        '-',
      ],
      { interrupt: true },
    );
    assert.is(exit, 130);
    const json = JSON.parse(out);
    assert.equal([json.scheduled, json.attempts, json.outcomes.aborted, json.inFlight], [7, 7, 7, 0]);
    assert.match(err, /aborted +7/);
  } finally {
    await server.close();
  }
});

/** A network namespace of its own, so that nobody else's connections are in the kernel's counters. */
const ownNetwork = ['unshare', '--map-root-user', '--net'];
const canUnshare =
  spawnSync('unshare', ['--map-root-user', '--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

test(
  'refused: as many as the kernel counts',
  async () => {
    const script =
      'ip link set lo up; ' +
      'counter() { awk \'/^Tcp:/ { if (names) print $column; else { for (i = 1; i <= NF; i++) if ($i == "AttemptFails") column = i; names = 1 } }\' /proc/net/snmp; }; ' +
      'before=$(counter); "$@" >&2; echo "$(( $(counter) - before ))"';
    for (const [lane, rate] of [
      ['new', '400'],
      ['kept', '400'],
      ['new', '0'],
      ['kept', '0'],
    ] as const) {
      const { exit, out, err } = await load(
        [
          'http://127.0.0.1:1/',
          '--lane',
          lane,
          '--rate',
          rate,
          '--slots',
          '5',
          '--connections',
          '5',
          '--duration',
          '1s',
        ],
        { within: [...ownNetwork, 'sh', '-c', script, 'sh'] },
      );
      assert.is(exit, 0, err);
      const [, refused] = /refused +(\d+) +100\.000 %/.exec(err) ?? [];
      assert.ok(Number(refused) > 100, err);
      assert.is(out.trim(), refused, `lane ${lane}, rate ${rate}`);
    }
  },
  { skip: canUnshare ? undefined : 'no network namespace can be made here (unshare)' },
);

test(
  'unreachable: no route to the address',
  async () => {
    const { err } = await load(['http://10.1.2.3/', '--rate', '50', '--duration', '500ms'], {
      within: [...ownNetwork, 'sh', '-c', 'ip link set lo up; "$@" >&2', 'sh'],
    });
    assert.match(err, /unreachable +25 +100\.000 %/);
  },
  { skip: canUnshare ? undefined : 'no network namespace can be made here (unshare)' },
);

test.run();
