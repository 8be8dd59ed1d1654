// Kubernetes' own end-to-end tests as a program: where it is, how one group of it runs on a fresh embedded cluster, and
// what came out.
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createAuthority, type LocalImage, startCluster } from '../../emulator/index.ts';
import { runCommand, runToExit } from '../../harness/exec/command.ts';

const here = dirname(fileURLToPath(import.meta.url));
/** Beside the project, where it is laid out together with its test data. */
const usualPlace = join(here, '..', '..', '..', 'shared', 'e2e');

const CERTIFICATE_LIFE_MS = 86_400_000;

export interface E2eProgram {
  readonly tests: string;
  readonly agnhost: string;
}

export interface E2eGroup {
  readonly name: string;
  /** Of ginkgo: a regular expression over the full names of tests. */
  readonly focus: string;
  readonly limitMinutes: number;
}

export interface E2eCase {
  readonly name: string;
  readonly outcome: 'passed' | 'failed' | 'skipped';
  readonly seconds: number;
  /** The first line of its failure. */
  readonly message: string | undefined;
}

export type ContentType = 'protobuf' | 'json';

/** The folder with e2e.test and agnhost, or with both in e2e.tar.zst (unpacked into `scratch`). Undefined: not there. */
export async function findProgram(
  scratch: string,
  folder: string = usualPlace,
): Promise<E2eProgram | undefined> {
  const inFolder = (place: string) => ({ tests: join(place, 'e2e.test'), agnhost: join(place, 'agnhost') });
  if (existsSync(inFolder(folder).tests)) return inFolder(resolve(folder));
  const archive = join(folder, 'e2e.tar.zst');
  if (!existsSync(archive)) return undefined;
  await runCommand('tar', ['--use-compress-program=zstd -d --long=27', '-xf', archive, '-C', scratch], {
    limitMs: 120_000,
  });
  return inFolder(scratch);
}

/** What is in agnhost's image beside agnhost, where this machine does not have it. */
function toolsOfImage(): Record<string, string> {
  const names = ['nc', 'nslookup'].filter((name) => !existsSync(`/usr/bin/${name}`));
  return Object.fromEntries(names.map((name) => [`/usr/bin/${name}`, join(here, 'tools', `${name}.mjs`)]));
}

/** A server's certificate for localhost, as agnhost's image has it in its root. */
function certificateOfImage(folder: string): Record<string, string> {
  const { key, cert } = createAuthority('localhost').issue({
    hosts: ['localhost'],
    addresses: ['127.0.0.1'],
    validToMs: Date.now() + CERTIFICATE_LIFE_MS,
  });
  const files = { '/localhost.crt': String(cert), '/localhost.key': String(key) };
  return Object.fromEntries(
    Object.entries(files).map(([target, text]) => {
      const path = join(folder, target);
      writeFileSync(path, text);
      return [target, path];
    }),
  );
}

/** What the names of images in the tests run here. */
function standIns(agnhost: string, folder: string): Map<string, LocalImage> {
  const registry = 'registry.k8s.io/e2e-test-images';
  const consumer = join(here, 'resource-consumer.mjs');
  // The images have BusyBox's shell, which knows more than POSIX asks for; so does bash.
  const shell = existsSync('/bin/bash') ? { files: { '/bin/sh': '/bin/bash' } } : {};
  const web: LocalImage = { command: [process.execPath, join(here, 'web-server.mjs')] };
  return new Map<string, LocalImage>([
    // The image's own entrypoint; without arguments it pauses.
    [
      `${registry}/agnhost:2.56`,
      {
        // By the image's own path, where pods have a file system of their own: the tests look at its name.
        command: [
          '/bin/sh',
          '-c',
          `[ $# -eq 0 ] && set -- pause; [ -x /agnhost ] && exec /agnhost "$@"; exec ${agnhost} "$@"`,
          'agnhost',
        ],
        files: {
          ...shell.files,
          ...toolsOfImage(),
          ...certificateOfImage(folder),
          '/agnhost': agnhost,
          '/agnhost-2': agnhost,
        },
      },
    ],
    [
      `${registry}/resource-consumer:1.13`,
      { command: [process.execPath, consumer], files: { '/consumer': consumer } },
    ],
    [`${registry}/httpd:2.4.38-4`, web],
    [`${registry}/httpd:2.4.39-4`, web],
    [`${registry}/nginx:1.14-4`, web],
    [`${registry}/nginx:1.15-4`, web],
    [`${registry}/busybox:1.37.0-1`, { command: ['/bin/sh'], ...shell }],
    [`${registry}/busybox:1.36.1-1`, { command: ['/bin/sh'], ...shell }],
    ['registry.k8s.io/pause:3.10.1', { command: [agnhost, 'pause'] }],
  ]);
}

interface GroupRun {
  readonly contentType: ContentType;
  /** Default: as for every embedded cluster. */
  readonly isolation?: 'auto' | 'none';
  /** Where what the program prints is kept. */
  readonly log?: string | undefined;
}

/** A fresh cluster on which groups run, one after the other or side by side. */
export interface E2eCluster {
  run(group: E2eGroup, how: Omit<GroupRun, 'isolation'>): Promise<E2eCase[]>;
  [Symbol.asyncDispose](): Promise<void>;
}

export async function startE2eCluster(
  program: E2eProgram,
  isolation?: GroupRun['isolation'],
): Promise<E2eCluster> {
  const folder = mkdtempSync(join(tmpdir(), 'rollproof-e2e-'));
  const forget = () => rmSync(folder, { recursive: true, force: true });
  try {
    const cluster = await startCluster({
      images: [standIns(program.agnhost, folder)],
      ...(isolation && { isolation }),
    });
    const kubeconfig = join(folder, 'kubeconfig');
    writeFileSync(kubeconfig, cluster.kubeconfig, { mode: 0o600 });
    return {
      run: (group, how) => runOn(program, group, { ...how, kubeconfig, folder }),
      [Symbol.asyncDispose]: () => cluster.stop().finally(forget),
    };
  } catch (error) {
    forget();
    throw error;
  }
}

/** Runs one group on a cluster of its own; nothing is left of it afterwards. */
export async function runGroup(
  program: E2eProgram,
  group: E2eGroup,
  { isolation, ...how }: GroupRun,
): Promise<E2eCase[]> {
  await using cluster = await startE2eCluster(program, isolation);
  return await cluster.run(group, how);
}

async function runOn(
  program: E2eProgram,
  group: E2eGroup,
  {
    contentType,
    log,
    kubeconfig,
    folder,
  }: GroupRun & { readonly kubeconfig: string; readonly folder: string },
): Promise<E2eCase[]> {
  const reports = mkdtempSync(join(folder, 'reports-'));
  const { stdout, stderr } = await runToExit(
    program.tests,
    [
      `--kubeconfig=${kubeconfig}`,
      '--provider=skeleton',
      '--ginkgo.no-color',
      `--ginkgo.focus=${group.focus}`,
      `--ginkgo.timeout=${group.limitMinutes}m`,
      '--allowed-not-ready-nodes=-1',
      '--minStartupPods=0',
      '--system-pods-startup-timeout=1s',
      '--node-schedulable-timeout=20s',
      `--report-dir=${reports}`,
      ...(contentType === 'json' ? ['--kube-api-content-type=application/json'] : []),
    ],
    { limitMs: (group.limitMinutes + 1) * 60_000 },
  );
  const output = stdout + stderr;
  if (log !== undefined) writeFileSync(log, output);
  const report = readdirSync(reports).find((name) => name.endsWith('.xml'));
  if (!report) throw new Error(`${group.name}: no report: ${output.slice(-500)}`);
  return readJunit(readFileSync(join(reports, report), 'utf8'));
}

/** Those that ran: JUnit lists every test of the program. */
export function readJunit(text: string): E2eCase[] {
  const cases: E2eCase[] = [];
  for (const [, attributes = '', body = ''] of text.matchAll(
    /<testcase ([^>]*?)(?:\/>|>([\s\S]*?)<\/testcase>)/g,
  )) {
    const attribute = (name: string) =>
      unescaped(new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '');
    const status = attribute('status');
    const name = attribute('name').replace(/^\[It\] /, '');
    if (status === 'skipped' || status === 'pending' || !attribute('name').startsWith('[It]')) continue;
    // Kubernetes leaves the message out of the element's attributes.
    const [, inTag, inBody] =
      /<(?:failure|error)\b(?:[^>]*? message="([^"]*)")?[^>]*>([^<]*)/.exec(body) ?? [];
    const failure = inTag || inBody?.replace(/^\[\w+\] /, '');
    cases.push({
      name,
      outcome: status === 'passed' ? 'passed' : 'failed',
      seconds: Number(attribute('time')),
      message: failure === undefined ? undefined : firstLine(unescaped(failure)),
    });
  }
  return cases;
}

function firstLine(text: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.trim() !== '')
      ?.trim() ?? ''
  );
}

function unescaped(text: string): string {
  const named: Record<string, string> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };
  return text
    .replace(/&#(x?)([0-9a-fA-F]+);/g, (_, hex: string, code: string) =>
      String.fromCodePoint(Number.parseInt(code, hex ? 16 : 10)),
    )
    .replace(/&(lt|gt|quot|apos|amp);/g, (_, name: string) => named[name] ?? '');
}
