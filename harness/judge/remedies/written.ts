// How the target's pods are stopped and made ready, as far as the manifests in the header say it.
import { parseAllDocuments } from 'yaml';
import { lastPart, serviceName } from '../../journal/endpoints.ts';
import type { HeaderRecord } from '../../model/journal.ts';
import { behindShell } from '../../model/pid-one.ts';
import { isShell, type PreStopHook, readPreStop, stopsServerAtOnce } from '../../model/prestop.ts';

export interface WrittenContainer {
  readonly name: string;
  readonly preStop: PreStopHook | undefined;
  /** The command of its hook that stops the server at once. */
  readonly stopsServer: string | undefined;
  /** The command that a shell runs as its child, so that no signal reaches it. */
  readonly behindShell: string | undefined;
  readonly stopSignal: string | undefined;
  readonly ports: number;
}

export interface Written {
  /** Of the workload, without those that end by themselves. */
  readonly containers: readonly WrittenContainer[];
  /** Name of the target's Service when it publishes addresses that are not ready. */
  readonly publishesNotReady: string | undefined;
}

export function readWritten({ manifests, target }: HeaderRecord): Written {
  const objects = parseAllDocuments(manifests)
    .filter((document) => document.errors.length === 0)
    .map((document) => fields(document.toJS()));
  const [kind] = target.workload.split('/');
  const named = (object: Fields, name: string) => fields(object.metadata).name === name;
  const workload = objects.find((one) => one.kind === kind && named(one, lastPart(target.workload)));
  const pod = fields(fields(fields(workload?.spec).template).spec);
  const service = serviceName(target.service);
  const publishes = objects.some(
    (one) =>
      one.kind === 'Service' &&
      named(one, service) &&
      (fields(one.spec).publishNotReadyAddresses === true ||
        fields(fields(one.metadata).annotations)['service.alpha.kubernetes.io/tolerate-unready-endpoints'] ===
          'true'),
  );
  return {
    containers: list(pod.containers).map((one) => containerOf(fields(one), pod)),
    publishesNotReady: publishes ? service : undefined,
  };
}

function containerOf(container: Fields, pod: Fields): WrittenContainer {
  const lifecycle = fields(container.lifecycle);
  const preStop = readPreStop(lifecycle.preStop);
  return {
    name: String(container.name ?? ''),
    preStop,
    stopsServer: preStop && stopsServerAtOnce(preStop),
    // One process namespace for the pod: its first process is none of the containers'.
    behindShell: pod.shareProcessNamespace === true ? undefined : behindShell(scriptOf(container))?.running,
    stopSignal: typeof lifecycle.stopSignal === 'string' ? lifecycle.stopSignal : undefined,
    ports: list(container.ports).length,
  };
}

/** Of `sh -c SCRIPT`, in command or split over command and args; empty: no shell. */
function scriptOf(container: Fields): string {
  const words = [...list(container.command), ...list(container.args)].map(String);
  if (!isShell(words[0] ?? '')) return '';
  const flag = words.findIndex((word) => /^-[a-z]*c$/.test(word));
  return flag === -1 ? '' : (words[flag + 1] ?? '');
}

type Fields = Readonly<Record<string, unknown>>;
const fields = (value: unknown): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
const list = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);
