// Our programs as they travel to a cluster without a registry: compressed in a ConfigMap, unpacked by Node.js itself when
// a pod starts, so that nothing has to be written there. Pure.
import { brotliCompressSync, constants } from 'node:zlib';
import { FaultError } from '../model/errors.ts';
import type { Manifest } from '../model/manifest.ts';
import { type OwnPods, type OwnProgram, ownPrograms } from '../model/own-pods.ts';

const programsName = 'rollproof-programs';
const FOLDER = '/rollproof';
/** Kubernetes takes this much in one ConfigMap, bytes of all values (validation.MaxSecretSize; the same for both). */
export const CONFIG_MAP_LIMIT_BYTES = 1024 * 1024;
/** What the programs are written for. */
const LEAST_NODE = 20;

const fileOf = (program: OwnProgram) => `${program}.cjs.br`;

/** Throws FaultError when the programs have outgrown a ConfigMap. */
export function packPrograms(
  sources: Readonly<Record<OwnProgram, Uint8Array>>,
): Record<OwnProgram, Uint8Array> {
  const packed = {
    agent: compressed(sources.agent),
    target: compressed(sources.target),
  };
  const bytes = ownPrograms.reduce((sum, program) => sum + packed[program].length, 0);
  if (bytes > CONFIG_MAP_LIMIT_BYTES) {
    throw new FaultError(
      `Load agent and built-in target have ${bytes} bytes when compressed; a ConfigMap takes ${CONFIG_MAP_LIMIT_BYTES}.`,
    );
  }
  return packed;
}

/** The best two qualities take seconds for a twentieth less. */
const compressed = (source: Uint8Array): Uint8Array =>
  brotliCompressSync(source, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } });

export function programsManifest(
  metadata: Omit<Manifest['metadata'], 'name'>,
  programs: NonNullable<OwnPods['programs']>,
): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { ...metadata, name: programsName },
    // Kubelets need not watch it.
    immutable: true,
    binaryData: Object.fromEntries(
      ownPrograms.map((program) => [fileOf(program), Buffer.from(programs[program]).toString('base64')]),
    ),
  };
}

export const programVolume = { name: programsName, configMap: { name: programsName } };
export const programVolumeMount = { name: programsName, mountPath: FOLDER, readOnly: true };

/** Of a container; `node`: Node.js in the image, by name or path. */
export const programCommand = (node: string, program: OwnProgram): string[] => [
  node,
  '-e',
  loaderOf(program),
];

/** The same for a container that is not in a pod: the file, and what reads it. */
export const programOutside = (
  node: string,
  program: OwnProgram,
  programs: NonNullable<OwnPods['programs']>,
) => ({
  file: { path: `${FOLDER}/${fileOf(program)}`, content: programs[program] },
  command: programCommand(node, program),
});

/** The program runs as if it had been read from a file of its own beside the compressed one. */
function loaderOf(program: OwnProgram): string {
  const file = `${FOLDER}/${fileOf(program)}`;
  return [
    `if(parseInt(process.versions.node)<${LEAST_NODE}){console.error('rollproof: this image has Node.js '+process.versions.node+'; agent.image needs ${LEAST_NODE} or later.');process.exit(1)}`,
    `const{readFileSync}=require('fs'),{brotliDecompressSync}=require('zlib')`,
    `const source=brotliDecompressSync(readFileSync('${file}')).toString()`,
    `const run=new(require('vm').Script)('(function(require,module,exports,__filename,__dirname){'+source+'\\n})',{filename:'${FOLDER}/${program}.cjs'}).runInThisContext()`,
    `run(require,module,exports,'${FOLDER}/${program}.cjs','${FOLDER}')`,
  ].join(';');
}
