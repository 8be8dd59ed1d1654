// `npm run package`: what people install that is not the npm package: an archive per platform with everything that the
// program needs but Node.js, the manifest with which krew installs it as `kubectl rollproof`, and the folder from which
// the container image is built (Dockerfile).
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, InvalidArgumentError } from 'commander';
import { stringify } from 'yaml';
import { list } from '../harness/commands/flags.ts';
import { runSync } from '../harness/exec/command.ts';
import { UsageError } from '../harness/model/errors.ts';
import { parseCommandLine, runScript } from './command-line.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** npm may have to fetch packages. */
const STEP_LIMIT_MS = 600_000;

/** As krew calls them, with npm's names for the same. */
const platforms = {
  'linux-amd64': { os: 'linux', cpu: 'x64' },
  'linux-arm64': { os: 'linux', cpu: 'arm64' },
  'darwin-amd64': { os: 'darwin', cpu: 'x64' },
  'darwin-arm64': { os: 'darwin', cpu: 'arm64' },
} as const;
type Platform = keyof typeof platforms;

const flags = parseCommandLine(
  new Command('package')
    .description('build the archives for krew with their manifest, and the folder for the container image')
    .option('--out <dir>', 'where they go', 'out/package')
    .option('--platforms <list>', `of ${Object.keys(platforms).join(', ')}`, chosen)
    .option('--tarball <file>', 'a package that npm pack has made (default: it is made now)')
    .option(
      '--url <prefix>',
      'where the archives will be downloaded from (https://…/); writes the manifest for krew',
    ),
).opts<{ out: string; platforms?: Platform[]; tarball?: string; url?: string }>();

await runScript(async () => {
  if (flags.url !== undefined && !/^https:\/\/.+\/$/.test(flags.url))
    throw new UsageError(
      `package: --url ${flags.url}: krew downloads from https only; name a prefix that ends with "/".`,
    );
  const out = resolve(flags.out);
  mkdirSync(out, { recursive: true });
  const tarball = flags.tarball === undefined ? pack(out) : resolve(flags.tarball);
  const archives = (flags.platforms ?? (Object.keys(platforms) as Platform[])).map((platform) => {
    const archive = archiveOf(platform, stage(platform, tarball, out), out);
    console.log(`${archive.file}  sha256 ${archive.sha256}`);
    return archive;
  });
  if (flags.url !== undefined) {
    writeFileSync(join(out, 'rollproof.yaml'), krewManifest(archives, flags.url));
    console.log('rollproof.yaml: the manifest for krew');
  }
  return 0;
});

function chosen(text: string): Platform[] {
  return list(text).map((name) => {
    if (Object.hasOwn(platforms, name)) return name as Platform;
    throw new InvalidArgumentError(`There is no platform "${name}".`);
  });
}

function pack(out: string): string {
  // By itself: what the build prints would stand before the JSON.
  run('npm', ['run', '-s', 'build'], root);
  const packed = run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], root);
  const [made] = JSON.parse(packed) as [{ filename: string }];
  return join(out, made.filename);
}

/** The package with the programs that it needs on that platform, as it will lie on the user's disk. */
function stage(platform: Platform, tarball: string, out: string): string {
  const folder = join(out, platform);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  run('tar', ['-xzf', tarball, '--strip-components=1'], folder);
  for (const file of ['package-lock.json', '.npmrc']) copyFileSync(join(root, file), join(folder, file));
  const { os, cpu } = platforms[platform];
  run(
    'npm',
    [
      'ci',
      '--omit=dev',
      '--ignore-scripts',
      '--prefer-offline',
      '--loglevel=error',
      `--os=${os}`,
      `--cpu=${cpu}`,
    ],
    folder,
  );
  rmSync(join(folder, '.npmrc'));
  return folder;
}

interface Archive {
  readonly platform: Platform;
  readonly file: string;
  readonly sha256: string;
}

/** The same bytes for the same package: sorted, no owner, no times. */
function archiveOf(platform: Platform, folder: string, out: string): Archive {
  const file = `rollproof-${platform}.tar.gz`;
  const names = readdirSync(folder).sort();
  const tar = ['--sort=name', '--owner=0', '--group=0', '--numeric-owner', '--mtime=2020-01-01 00:00Z'];
  run('tar', [...tar, '-czf', join(out, file), ...names], folder, { GZIP: '-n' });
  const sha256 = createHash('sha256')
    .update(readFileSync(join(out, file)))
    .digest('hex');
  return { platform, file, sha256 };
}

function krewManifest(archives: readonly Archive[], url: string): string {
  const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
    version: string;
    description: string;
  };
  return stringify({
    apiVersion: 'krew.googlecontainertools.github.com/v1alpha2',
    kind: 'Plugin',
    metadata: { name: 'rollproof' },
    spec: {
      version: `v${version}`,
      homepage: new URL('.', url).href,
      shortDescription: 'Prove whether a rollout drops connections',
      description: `${description}\n`,
      caveats: 'Needs Node.js 20.20 or newer on the PATH.\n',
      platforms: archives.map(({ platform, file, sha256 }) => {
        const [os, arch] = platform.split('-');
        return {
          selector: { matchLabels: { os, arch } },
          uri: `${url}${file}`,
          sha256,
          // Started through a link: it finds its own files by where the link leads.
          bin: 'scripts/rollproof.mjs',
        };
      }),
    },
  });
}

function run(
  program: string,
  args: readonly string[],
  cwd: string,
  env: Record<string, string> = {},
): string {
  return runSync(program, args, { cwd, env, limitMs: STEP_LIMIT_MS }).stdout;
}
