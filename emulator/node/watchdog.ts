// Makes sure that no pod outlives the harness: a shell that knows every process group that the kubelet started and
// kills them when its input ends, which happens however the harness ends, `kill -9` included.
import { type ChildProcess, spawn } from 'node:child_process';

// Runs in a session of its own, so that Ctrl-C reaches only the harness. $groups is " 12 34 "; dash takes a negative
// number after "-s KILL --" alone.
const script = `
trap '' INT TERM HUP
groups=' '
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
for folder in "$@"; do rm -rf -- "$folder"; done
`;

export class Watchdog {
  private readonly child: ChildProcess;
  private readonly groups = new Set<number>();
  private closed = false;

  /** `folders` are removed when the harness has gone without removing them itself. */
  constructor(folders: readonly string[] = []) {
    this.child = spawn('/bin/sh', ['-c', script, 'rollproof-watchdog', ...folders], {
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    });
    // It is there to outlive this process, never to keep it alive.
    this.child.unref();
    (this.child.stdin as unknown as { unref?: () => void } | null)?.unref?.();
    this.child.stdin?.on('error', () => {});
    this.child.on('error', () => {});
  }

  get pid(): number | undefined {
    return this.child.pid;
  }

  /** A process that leads its own group has started. */
  add(group: number): void {
    // A start that was under way when the cluster ended: nobody would ever end it, and its pipes keep this process alive.
    if (this.closed) {
      killGroup(group);
      return;
    }
    this.groups.add(group);
    this.child.stdin?.write(`+ ${group}\n`);
  }

  /** It and its whole group have ended. */
  remove(group: number): void {
    if (this.groups.delete(group)) this.child.stdin?.write(`- ${group}\n`);
  }

  /** Kills every group that is left and ends. */
  async close(): Promise<void> {
    this.closed = true;
    for (const group of this.groups) killGroup(group);
    this.groups.clear();
    if (this.child.exitCode !== null || this.child.pid === undefined) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.ref();
    this.child.stdin?.end();
    await ended;
  }
}

/** SIGKILL to a whole process group; nothing when it has ended already. */
export function killGroup(group: number): void {
  try {
    process.kill(-group, 'SIGKILL');
  } catch {
    // No such group: that is what is wanted.
  }
}
