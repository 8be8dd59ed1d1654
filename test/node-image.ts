// The newest node image of kind that Docker has: its own default may have to be pulled.
import { execFileSync } from 'node:child_process';

/** Flags for `kind create cluster`; none: kind takes its default. */
export function nodeImage(): string[] {
  const names = execFileSync(
    'docker',
    ['image', 'ls', 'kindest/node', '--format', '{{.Repository}}:{{.Tag}}'],
    { encoding: 'utf8' },
  );
  const [name] = names.split('\n').filter((one) => one && !one.includes('<none>'));
  return name ? ['--image', name] : [];
}
