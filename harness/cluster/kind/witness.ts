// Connection tracking on a node of kind, which is ours: read there by the node image's own `conntrack`. Ends by itself when
// this process ends.
import { startProgram } from '../../exec/program.ts';
import { eventsScript, READS, whyNotRead } from '../conntrack.ts';
import type { NodeWitness, WitnessRequest } from '../provider.ts';

const STOP_LIMIT_MS = 10_000;
/** A line on its input is answered by the node's clock; the end of its input ends all. */
const script = (addresses: readonly string[]) => `set -m
${eventsScript({
  addresses,
  missing: 'no conntrack',
  ending: "trap 'kill -- -$events' EXIT",
  // `read` says 128 and more where nothing came in time.
  meanwhile: `if read -rt "$wait" line; then echo "clock $line $(date +%s.%N)"; elif [ $? -le 128 ]; then break; fi`,
})}`;

/** `undefined`: the node cannot say it; with why. */
export async function readConntrack(
  node: string,
  { addresses, onLine }: WitnessRequest,
  start: typeof startProgram = startProgram,
): Promise<NodeWitness | { readonly cannot: string }> {
  let first: (line: string) => void = () => {};
  const answer = new Promise<string | undefined>((resolve) => {
    first = (line) => resolve(line === READS ? undefined : line);
  });
  let reading = false;
  const program = start('docker', ['exec', '--interactive', node, 'bash', '-c', script(addresses)], {
    keepOutput: false,
    onLine: (line) => {
      // Of other connections to the same addresses events may come before that word.
      if (reading || line.startsWith('[')) onLine(line);
      else {
        reading = true;
        first(line);
      }
    },
  });
  const ended = program.ended.then(({ how, stderr }) => [how, stderr.trim()].filter(Boolean).join(': '));
  const why = await whyNotRead(answer, ended);
  if (why !== undefined) {
    program.kill('SIGKILL');
    return { cannot: `connection tracking on node ${node} cannot be read: ${why}` };
  }
  return {
    node,
    ended,
    ask: (question) => program.write(question),
    stop: async () => void (await program.stop(undefined, STOP_LIMIT_MS)),
  };
}
