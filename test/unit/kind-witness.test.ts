// How a node's connection tracking is asked for, with a program that stands in for docker.
import * as assert from 'uvu/assert';
import { readConntrack } from '../../harness/cluster/kind/witness.ts';
import type { Program, ProgramOptions, startProgram } from '../../harness/exec/program.ts';
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

test('a node that cannot say it: a sentence, and nothing stays', async () => {
  const { start, told } = standIn(['no conntrack']);
  const request = { addresses: ['10.96.0.1:80'], onLine: () => {} };
  const witness = await readConntrack('node0', request, start);
  assert.equal(witness, { cannot: 'connection tracking on node node0 cannot be read: no conntrack' });
  assert.is(told.killed, true);
  const gone = await readConntrack('node9', request, standIn([], 'ended with 1').start);
  assert.match('cannot' in gone ? gone.cannot : '', /node9 cannot be read: ended with 1: no such container/);
});

test.run();
