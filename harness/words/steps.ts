// A step in a few words, for progress lines and reports.
import type { Step } from '../model/scenario.ts';

/** Steps in which nothing is done to the target: a time line leaves them out. */
export const asideSteps: ReadonlySet<Step['step']> = new Set(['wait', 'twin', 'kubectl', 'compare-twin']);

/** One line for progress and reports: "set image to next", "scale to 6". */
export function describeStep(step: Step): string {
  switch (step.step) {
    case 'set-image':
      return `set image to ${step.image}`;
    case 'scale':
      return `scale to ${step.replicas}`;
    case 'wait':
      return step.for === 'time'
        ? `wait ${(step.ms ?? 0) / 1000} s`
        : `wait for ${step.for}${step.of === 'beside' ? ' beside' : ''}`;
    case 'patch':
      return ['patch', step.kind, step.name].filter(Boolean).join(' ');
    case 'deploy':
      return step.refusedWith === undefined ? 'deploy' : 'deploy, which is refused';
    case 'restart':
      return step.of === 'entry' ? 'restart the entry’s controller' : 'restart';
    case 'rollback':
      return step.toRevision ? `undo to revision ${step.toRevision}` : 'undo';
    case 'kubectl':
      return ['kubectl', ...step.args].join(' ');
    case 'twin':
      return 'create a twin for kubectl';
    case 'compare-twin':
      return `compare with kubectl’s twin after ${step.as}`;
    case 'load-rate':
      return `load ${step.ratePerSecond} req/s`;
    case 'chaos':
      return `${step.action} ${step.count} ${step.count === 1 ? 'pod' : 'pods'}`;
    default:
      return step.step.replaceAll('-', ' ');
  }
}
