// The file system of one container: this machine's, with a layer above it that is the container's own (overlayfs on
// tmpfs), an empty /tmp, and the pod's volumes at their paths. Made in a mount namespace that the container's first
// process has to itself, so that it goes with that process and the machine sees nothing of it.
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Programs } from './programs.ts';

/** Something of the machine that is seen at a path of the container. */
export interface Mount {
  readonly source: string;
  /** Absolute, as the manifest says it. */
  readonly target: string;
  readonly readOnly: boolean;
  /** A file and not a folder. */
  readonly file: boolean;
}

export interface RootPlan {
  /** An empty folder of the machine for the container's own layer. */
  readonly top: string;
  /** Paths below /tmp that the image itself needs: they stay where they are. */
  readonly shown: readonly string[];
  readonly mounts: readonly Mount[];
}

/** Where the scripts of the emulation lie in a container. */
export const OWN_FOLDER = '/.rollproof';

/**
 * Shell code that makes the root at `${plan.top}/r`. `preload`: a file of the machine that is copied to OWN_FOLDER.
 * `points`: where this machine has file systems of their own mounted.
 */
export function rootScript(
  plan: RootPlan,
  programs: Programs,
  preload: string,
  points: readonly string[],
  real: (path: string) => string = realPath,
): string {
  const top = quote(plan.top);
  const root = `${plan.top}/r`;
  const mounts = [...plan.mounts]
    .map((mount) => ({ ...mount, target: real(mount.target) }))
    .sort((a, b) => a.target.length - b.target.length);
  const within = (path: string, folder: string) => path === folder || path.startsWith(`${folder}/`);
  const outermost = points.filter(
    (point) =>
      point !== '/' && !points.some((other) => other !== '/' && other !== point && within(point, other)),
  );
  // What gets something mounted below it, or would be written to, needs a layer of the container's own.
  const layered = outermost.filter(
    (point) =>
      point === '/dev' ||
      (point !== '/proc' && point !== '/sys' && mounts.some(({ target }) => within(target, point))),
  );
  const lines = [
    `${programs.mount} -t tmpfs -o mode=0755 rollproof ${top}`,
    `mkdir -p ${top}/u${OWN_FOLDER} ${top}/w ${top}/r ${top}/tmp ${layered.map((_, index) => `${top}/u${index} ${top}/w${index}`).join(' ')}`,
    `chmod 1777 ${top}/tmp`,
    `cp ${quote(preload)} ${top}/u${OWN_FOLDER}/`,
    overlay(programs, '/', plan.top, '', root),
  ];
  for (const point of outermost) {
    if (point === '/tmp') continue;
    const index = layered.indexOf(point);
    if (index < 0) lines.push(bindIfThere(programs, point, `${root}${point}`));
    else {
      lines.push(overlay(programs, point, plan.top, String(index), `${root}${point}`));
      for (const inner of points) {
        if (inner !== point && within(inner, point))
          lines.push(bindIfThere(programs, inner, `${root}${inner}`));
      }
    }
  }
  lines.push(bind(programs, `${plan.top}/tmp`, `${root}/tmp`, false));
  for (const shown of plan.shown) {
    const place = quote(`${plan.top}${shown}`);
    lines.push(
      `if [ -d ${quote(shown)} ]; then mkdir -p ${place}; else : > ${place}; fi`,
      bind(programs, shown, `${root}${shown}`, true),
    );
  }
  for (const { source, target, readOnly, file } of mounts) {
    const place = `${root}${target}`;
    lines.push(
      file
        ? `mkdir -p ${quote(dirname(place))} && { [ -e ${quote(place)} ] || : > ${quote(place)}; }`
        : `mkdir -p ${quote(place)}`,
      bind(programs, source, place, false),
    );
    if (readOnly) lines.push(`${programs.mount} -o remount,bind,ro ${quote(place)}`);
  }
  return lines.join(' && ');
}

/** What lies right below /tmp and is named in these words: "/tmp/work/app/main.js" → "/tmp/work". */
export function shownBelowTmp(words: readonly string[]): string[] {
  const found = new Set<string>();
  for (const word of words) {
    for (const [, name] of word.matchAll(/(?:^|[\s'"=:;&|(<>,])\/tmp\/([^/\s'";&|)<>,:]+)/g)) {
      found.add(`/tmp/${name}`);
    }
  }
  return [...found].filter((path) => existsSync(path));
}

/** Where file systems are mounted on this machine, from /proc/self/mountinfo (proc(5): the fifth field). */
export function mountPoints(): string[] {
  const text = readFileSync('/proc/self/mountinfo', 'utf8');
  const points = text
    .split('\n')
    .map((line) => line.split(' ')[4])
    .filter((point): point is string => point !== undefined)
    .map((point) =>
      point.replace(/\\(\d{3})/g, (_, octal) => String.fromCharCode(Number.parseInt(octal, 8))),
    );
  return [...new Set(points)];
}

/** Links that this machine has on the way ("/var/run" is "/run") lead to the same place in the container. */
function realPath(path: string): string {
  const clean = join('/', path).replace(/(.)\/$/, '$1');
  for (let known = clean; ; known = dirname(known)) {
    try {
      const rest = clean.slice(known === '/' ? 0 : known.length);
      return join(realpathSync(known), rest);
    } catch {
      if (known === '/') return clean;
    }
  }
}

const overlay = (programs: Programs, lower: string, top: string, suffix: string, place: string): string =>
  `${programs.mount} -t overlay -o ${quote(`lowerdir=${lower},upperdir=${top}/u${suffix},workdir=${top}/w${suffix}`)} rollproof ${quote(place)}`;

/** What the machine has mounted comes and goes (Docker's namespaces below /run): a container does without it. */
const bindIfThere = (programs: Programs, from: string, to: string): string =>
  `{ ${bind(programs, from, to, true)} 2>/dev/null || :; }`;

const bind = (programs: Programs, from: string, to: string, all: boolean): string =>
  `${programs.mount} --${all ? 'rbind' : 'bind'} ${quote(from)} ${quote(to)}`;

export const quote = (text: string): string => `'${text.replaceAll("'", `'\\''`)}'`;
