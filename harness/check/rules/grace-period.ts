// A grace period of 0, or one that leaves the app no time behind its hook.
import { containerName } from '../container.ts';
import { lossesTo } from '../measured.ts';
import { nameOf } from '../objects.ts';
import { preStopOf } from '../prestop.ts';
import type { CheckInput, Rule } from '../rule.ts';

export const gracePeriodZero: Rule = {
  id: 'grace-period-zero',
  severity: 'error',
  title: 'terminationGracePeriodSeconds 0',
  why: 'With 0 a pod is killed at the moment of its deletion: no hook runs, no SIGTERM is sent, and what it is working on is lost, at every rollout.',
  scenario: 'grace-too-short',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, pod, podPath }) => {
      if (pod.terminationGracePeriodSeconds !== 0) return [];
      const path = [...podPath, 'terminationGracePeriodSeconds'];
      return [
        {
          object,
          path,
          message: `${nameOf(object)}: terminationGracePeriodSeconds 0 kills its pods at once, without hook and signal.`,
          changes: [{ set: path, value: 30 }],
        },
      ];
    }),
  measured: lossesTo(['killed-in-flight', 'grace-exceeded']),
};

/** What an app needs at least between SIGTERM and the kill to answer what it has begun. */
const SHUTDOWN_SECONDS = 5;

export const gracePeriodTight: Rule = {
  id: 'grace-period-tight',
  severity: 'warning',
  title: 'grace period that leaves the app no time behind the hook',
  why: 'The grace period counts from the deletion, hook included. What is left when the hook ends is all that the app has to answer what it has begun; then it is killed.',
  scenario: 'prestop-too-long',
  find: ({ workloads }: CheckInput) =>
    workloads.flatMap(({ object, containers, graceSeconds, podPath }) => {
      const longest = Math.max(0, ...containers.map((container) => preStopOf(container)?.seconds ?? 0));
      const left = graceSeconds - longest;
      const container = containers.find((own) => preStopOf(own)?.seconds === longest);
      if (!container || longest === 0 || left <= 0 || left >= SHUTDOWN_SECONDS) return [];
      const path = [...podPath, 'terminationGracePeriodSeconds'];
      return [
        {
          object,
          path,
          message: `${nameOf(object)}: the preStop hook of ${containerName(container)} takes ${longest} s of a grace period of ${graceSeconds} s: ${left} s are left for the app.`,
          changes: [{ set: path, value: Math.ceil(longest) + 30, comment: 'the hook, and 30 s for the app' }],
        },
      ];
    }),
  measured: lossesTo(['killed-in-flight', 'grace-exceeded']),
};
