// The process that this one must not outlive: on a cluster without containers nothing else ends it when its kubelet was
// killed.

/** How often the process looks whether the other one is still there. */
export const PARENT_CHECK_MS = 500;

export function endWithParent(pid: number): void {
  setInterval(() => {
    if (!isAlive(pid)) process.exit(1);
  }, PARENT_CHECK_MS);
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
