// What the nodes of the pods see while a run goes on, into files: their connection tracking, which knows no Service, only
// pods; and what the containers write, which goes with the pod otherwise.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { readConntrack } from '../../harness/cluster/kind/witness.ts';
import { startProgram } from '../../harness/exec/program.ts';
import { FaultError } from '../../harness/model/errors.ts';

const STOP_LIMIT_MS = 60_000;

/**
 * Keeps a second name of each container's log, which outlives its pod. The end of its input: everything is written out,
 * each file headed by its name, and nothing stays.
 */
const keepLogs = `
work=$(mktemp -d /var/log/rollproof-truth.XXXXXX) && trap 'rm -rf "$work"' EXIT
shopt -s nullglob
while :; do
  for file in /var/log/containers/*.log; do
    name=\${file##*/}
    case $name in *_kube-system_*|*_local-path-storage_*) continue ;; esac
    [ -e "$work/$name" ] || ln -L "$file" "$work/$name" 2> /dev/null
  done
  read -rt 0.2 line
  [ $? -gt 128 ] || break
done
cd "$work"
for file in *.log; do
  echo "== $file"
  grep -a ' truth ' "$file" || true
done
`;

export interface NodesRecording {
  /** Writes what was seen. Throws FaultError where it is not whole. */
  end(): Promise<void>;
}

/** `NODE.conntrack` and `NODE.logs` in `folder`, which is made. */
export async function recordNodes(
  nodes: readonly string[],
  port: number,
  folder: string,
): Promise<NodesRecording> {
  mkdirSync(folder, { recursive: true });
  const recordings = await Promise.all(nodes.map((node) => recordNode(node, port)));
  return {
    async end() {
      const seen = await Promise.all(recordings.map(({ end }) => end()));
      for (const [index, { events, logs }] of seen.entries()) {
        writeFileSync(join(folder, `${nodes[index]}.conntrack`), events);
        writeFileSync(join(folder, `${nodes[index]}.logs`), logs.stdout);
      }
      const broken = seen.findIndex(({ logs }) => logs.how !== 'ended with 0');
      if (broken !== -1)
        throw new FaultError(
          `truth: reading the logs of node ${nodes[broken]} ${seen[broken]?.logs.how}: ${seen[broken]?.logs.stderr}`,
        );
    },
  };
}

async function recordNode(node: string, port: number) {
  const events: string[] = [];
  const tracking = await readConntrack(node, {
    addresses: [`*:${port}`],
    onLine: (line) => void events.push(line),
  });
  if ('cannot' in tracking) throw new FaultError(`truth: ${tracking.cannot}.`);
  const logs = startProgram('docker', ['exec', '--interactive', node, 'bash', '-c', keepLogs]);
  return {
    async end() {
      await tracking.stop();
      return { events: `${events.join('\n')}\n`, logs: await logs.stop(undefined, STOP_LIMIT_MS) };
    },
  };
}
