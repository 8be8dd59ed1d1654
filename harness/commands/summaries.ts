// Every command in one line, in the order of the help text. The help is printed from this alone: no command is loaded for it.

export const summaries = {
  init: 'look at manifests, a chart, a kustomization or a live workload, and write rollproof.yaml',
  verify: 'roll out under load, with and without the settings; compare losses',
  watch: 'measure what a change costs that somebody else makes: helm, Argo CD, an operator, a colleague',
  tune: 'find the shortest preStop sleep that loses no new connection on this cluster',
  harden: 'find the smallest settings that lose nothing on this cluster, and put them into your files',
  list: 'list scenarios and their questions',
  load: 'fire metered load at a URL and count how every request ends',
  check: 'find rollout risks in manifests, without a cluster',
  judge: "judge a run's journals anew and write its reports; the exit code is the run's",
  report: "write a run's reports anew from its journals",
  audit: "say whether a run's journals are unchanged, and whether its reports follow from them",
  compare: 'say what changed between two runs',
  cluster: 'a cluster for trying things by hand',
  rbac: 'print the least rights that `verify --cluster context` needs, as YAML for kubectl apply',
  cleanup: 'remove the clusters and temporary folders that killed runs have left',
} as const;

export type CommandName = keyof typeof summaries;
