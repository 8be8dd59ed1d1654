// Connection tracking on a node of kind, which is ours: read there by the node image's own `conntrack`. Ends by itself when
// this process ends.
import { startProgram } from '../../exec/program.ts';
import { startedEvents } from '../conntrack.ts';
import type { NodeWitness, WitnessRequest } from '../provider.ts';

const ANSWER_LIMIT_MS = 10_000;

/** A line on its input is answered by the node's clock; the end of its input ends all. */
const script = (addresses: readonly string[]) => `
set -m
command -v conntrack > /dev/null || { echo "no conntrack"; exit 3; }
${startedEvents(addresses)}
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
  const program = start('docker', ['exec', '--interactive', node, 'bash', '-c', script(addresses)], {
    keepOutput: false,
    onLine: (line) => {
      if (reading) onLine(line);
      else {
        reading = true;
        first(line);
      }
    },
  });
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
