// Names that the controller of Argo Rollouts uses. Source: pkg/apis/rollouts/v1alpha1/types.go, utils/annotations.

export const rolloutApiVersion = 'argoproj.io/v1alpha1';
/** What ReplicaSets, their pods and the Services of a strategy are told apart by. */
export const rolloutHashLabel = 'rollouts-pod-template-hash';
/** Annotation of a ReplicaSet: which revision it is. */
export const rolloutRevision = 'rollout.argoproj.io/revision';
