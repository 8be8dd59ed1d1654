// Makes sure that no pod outlives the harness: a shell that knows every process group that the kubelet started and
// kills them when its input ends, which happens however the harness ends, `kill -9` included.
import { type ChildProcess, spawn } from 'node:child_process';
import { killMarked } from './marked.ts';

// Runs in a session of its own, so that Ctrl-C reaches only the harness. $groups is " 12 34 "; dash takes a negative
// number after "-s KILL --" alone. What left its group is found by its environment, unless the harness has seen to that itself.
const script = `
trap '' INT TERM HUP
groups=' '
owner=$1
shift
while read -r sign group; do
  case $sign in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
    =) owner= ;;
  esac
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
[ -n "$owner" ] && for file in /proc/[0-9]*/environ; do
  tr '\\0' '\\n' < "$file" 2>/dev/null | grep -qx "ROLLPROOF_PARENT_PID=$owner" || continue
  pid=\${file#/proc/}
  kill -s KILL "\${pid%/environ}" 2>/dev/null
done
for folder in "$@"; do rm -rf -- "$folder"; done
`;

export class Watchdog {
  private readonly child: ChildProcess;
  private readonly groups = new Set<number>();
  private readonly marks = new Set<string>();
  private closed = false;

  /** `folders` are removed when the harness has gone without removing them itself. */
  constructor(folders: readonly string[] = []) {
    this.child = spawn('/bin/sh', ['-c', script, 'rollproof-watchdog', String(process.pid), ...folders], {
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

  /** A process that leads its own group has started; its container's mark, where it has one (marked.ts). */
  add(group: number, mark?: string): void {
    // A start that was under way when the cluster ended: nobody would ever end it, and its pipes keep this process alive.
    if (this.closed) {
      killGroup(group);
      return;
    }
    this.groups.add(group);
    if (mark !== undefined) this.marks.add(mark);
    this.child.stdin?.write(`+ ${group}\n`);
  }

  /** It and its whole group have ended. */
  remove(group: number): void {
    if (this.groups.delete(group)) this.child.stdin?.write(`- ${group}\n`);
  }

  /** What left the groups of a container has ended, too. */
  forget(mark: string): void {
    this.marks.delete(mark);
  }

  /** Kills every group that is left and ends. */
  async close(): Promise<void> {
    this.closed = true;
    for (const group of this.groups) killGroup(group);
    this.groups.clear();
    killMarked(this.marks);
    this.marks.clear();
    if (this.child.exitCode !== null || this.child.pid === undefined) return;
    const ended = new Promise<void>((resolve) => this.child.once('exit', () => resolve()));
    this.child.ref();
    this.child.stdin?.end('= 0\n');
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
