// `rollproof check` as a program of its own: what the other commands need is not loaded, so that it starts at once, and
// an interrupt ends it at once (nothing here waits for the end of anything).
import { Command } from 'commander';
import { registerCheck } from './check.ts';
import { runProgram } from './program.ts';

await runProgram(new Command('rollproof'), registerCheck);
