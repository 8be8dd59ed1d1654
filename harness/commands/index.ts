// Every command, in the order of the help text.
import type { Command } from 'commander';
import { packageVersion } from '../run/tool-version.ts';
import { registerAudit } from './audit.ts';
import { registerCheck } from './check.ts';
import { registerCleanup } from './cleanup.ts';
import { registerCluster } from './cluster.ts';
import { registerCompare } from './compare.ts';
import { registerHarden } from './harden.ts';
import { registerInit } from './init.ts';
import { registerJudge } from './judge.ts';
import { registerList } from './list.ts';
import { registerLoad } from './load.ts';
import { registerRbac } from './rbac.ts';
import { registerTune } from './tune.ts';
import { registerVerify } from './verify.ts';
import { registerWatch } from './watch.ts';

export function registerCommands(program: Command): void {
  program.version(packageVersion().version, '-V, --version', 'print the version');
  registerInit(program);
  registerVerify(program);
  registerWatch(program);
  registerTune(program);
  registerHarden(program);
  registerList(program);
  registerLoad(program);
  registerCheck(program);
  registerJudge(program);
  registerAudit(program);
  registerCompare(program);
  registerCluster(program);
  registerRbac(program);
  registerCleanup(program);
}
