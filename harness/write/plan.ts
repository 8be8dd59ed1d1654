// What is to be written where, before anything is: the files with their new text, and the objects that they then give.
import type { ReadManifest } from '../deploy/read-manifests.ts';
import type { Manifest } from '../model/manifest.ts';

export interface FileChange {
  readonly file: string;
  /** Undefined: it is not there yet. */
  readonly before: string | undefined;
  readonly after: string;
  /** A script. */
  readonly executable?: true;
}

export interface WritePlan {
  readonly files: readonly FileChange[];
  /** Sentences on what was done how, and on what is left to do by hand. */
  readonly notes: readonly string[];
  /** Of a live workload: the patch, and the command that applies it. */
  readonly patch?: { readonly text: string; readonly command: string };
  /** What the edited files give, read from their new text. */
  readonly manifests: readonly ReadManifest[];
}

/** All objects with the settings in them: those that were there in their order, new ones behind them. */
export type Apply = (manifests: readonly Manifest[]) => readonly Manifest[];

export const objectName = ({ kind, metadata }: Manifest): string => `${kind} ${metadata.name}`;
