// Connection tracking on a node, event by event, as the node image's own `conntrack` says it. Ends by itself when this
// process ends.
import { startProgram } from '../../exec/program.ts';
import type { NodeWitness, WitnessRequest } from '../provider.ts';

const ANSWER_LIMIT_MS = 10_000;

/**
 * Only what is needed of an entry's life: that it came (NEW, with the pod that was chosen), that the other side answered
 * (SYN_RECV), that a RST was the only answer (then the kernel drops the entry at once, still unreplied; it is in no
 * table). Not narrowed by `-d`: then conntrack 1.4.7 leaves out the DESTROY events, and with them all refusals. A line on
 * its input is answered by the node's clock; the end of its input ends all.
 */
const script = (pattern: string) => `
set -m
command -v conntrack > /dev/null || { echo "no conntrack"; exit 3; }
{ conntrack -E -p tcp -o timestamp,id --buffer-size 8388608 2>&1 |
  grep --line-buffered -E '(\\[NEW\\]|SYN_RECV|\\[DESTROY\\].*\\[UNREPLIED\\]).*|^conntrack|WARNING' |
  grep --line-buffered -E '${pattern}|^conntrack|WARNING'; } &
trap 'kill -- -$!' EXIT
echo reading
while read -r line; do echo "clock $line $(date +%s.%N)"; done
`;

/** `undefined`: the node cannot say it; with why. */
export async function readConntrack(
  node: string,
  { addresses, onLine }: WitnessRequest,
  start: typeof startProgram = startProgram,
): Promise<NodeWitness | { readonly cannot: string }> {
  let first: (line: string) => void = () => {};
  const answer = new Promise<string>((resolve) => {
    first = resolve;
  });
  let reading = false;
  const program = start(
    'docker',
    ['exec', '--interactive', node, 'bash', '-c', script(patternOf(addresses))],
    {
      keepOutput: false,
      onLine: (line) => {
        if (reading) onLine(line);
        else {
          reading = true;
          first(line);
        }
      },
    },
  );
  const ended = program.ended.then(({ how, stderr }) => [how, stderr.trim()].filter(Boolean).join(': '));
  let timer: NodeJS.Timeout | undefined;
  const limit = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`no answer within ${ANSWER_LIMIT_MS / 1000} s`), ANSWER_LIMIT_MS);
  });
  const said = await Promise.race([answer, ended, limit]);
  clearTimeout(timer);
  if (said !== 'reading') {
    program.kill('SIGKILL');
    return { cannot: `connection tracking on node ${node} cannot be read: ${said}` };
  }
  return {
    node,
    ended,
    ask: (question) => program.write(question),
    stop: async () => void (await program.stop(undefined, ANSWER_LIMIT_MS)),
  };
}

/** Entries of connections to one of these addresses ("10.96.0.7:80"). */
const patternOf = (addresses: readonly string[]): string =>
  addresses
    .map((address) => {
      const at = address.lastIndexOf(':');
      const host = address.slice(0, at).replace(/[[\]]/g, '').replaceAll('.', '\\.');
      return `dst=${host} sport=[0-9]+ dport=${address.slice(at + 1)} `;
    })
    .join('|');
