#!/usr/bin/env node
// Stands for netcat in Kubernetes' tests, where this machine has none: nc [-v] [-t] [-z] [-w SECONDS] HOST PORT, over TCP.
import { connect } from 'node:net';

const words = process.argv.slice(2);
let seconds = 0;
let quiet = true;
let onlyConnect = false;
const rest = [];
while (words.length > 0) {
  const word = words.shift();
  if (word === '-w') seconds = Number(words.shift());
  else if (/^-w\d+$/.test(word)) seconds = Number(word.slice(2));
  else if (/^-[vtz]+$/.test(word)) {
    quiet &&= !word.includes('v');
    onlyConnect ||= word.includes('z');
  } else if (word.startsWith('-')) end(2, `nc: no ${word} here`);
  else rest.push(word);
}
const [host, port] = rest;
const socket = connect({ host, port: Number(port), allowHalfOpen: true });
if (seconds > 0) socket.setTimeout(seconds * 1000, () => end(socket.connecting ? 1 : 0, 'timed out'));
socket.on('error', (error) => end(1, `nc: connect to ${host} port ${port} (tcp) failed: ${error.message}`));
socket.on('connect', () => {
  if (!quiet) process.stderr.write(`Connection to ${host} ${port} port [tcp] succeeded!\n`);
  if (onlyConnect) end(0);
  process.stdin.pipe(socket);
  socket.pipe(process.stdout);
});
socket.on('end', () => end(0));

function end(code, said) {
  if (said && (!quiet || code === 2)) process.stderr.write(`${said}\n`);
  process.exitCode = code;
  // What was read is written before the end.
  setImmediate(() => process.exit());
}
