#!/usr/bin/env node
// Stands for the image resource-consumer in Kubernetes' autoscaling tests: uses as much CPU and memory, for as many
// seconds, as it is asked to. What several requests ask for adds up.
// Source: test/images/resource-consumer in kubernetes/kubernetes.
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker } from 'node:worker_threads';

const MEGABYTE = 1024 * 1024;
/** How often the consumption is made good, ms. */
const PERIOD_MS = 50;
/** What a busy machine did not let it have is made good, this much of it. */
const MOST_DEBT_MS = 1000;

if (isMainThread) serve();
else spin();

function serve() {
  // Not from a variable: a Service that is called like this program would be one.
  const port = Number(/^--?port=(\d+)$/.exec(process.argv[2] ?? '')?.[1] ?? 8080);
  const spinner = new Worker(fileURLToPath(import.meta.url));
  createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    let body = '';
    for await (const chunk of request) body += chunk;
    const asked = new URLSearchParams(`${url.searchParams}&${body}`);
    const number = (name) => Number(asked.get(name) ?? Number.NaN);
    const seconds = number('durationSec');
    const say = (status, text) => {
      response.statusCode = status;
      response.end(`${text}\n`);
    };
    if (request.method !== 'POST') return say(400, 'Bad request. Not a POST request');
    switch (url.pathname) {
      case '/ConsumeCPU': {
        const millicores = number('millicores');
        if (!(millicores >= 0 && seconds >= 0)) return say(400, 'incorrect function argument');
        spinner.postMessage({ millicores, seconds });
        return say(200, `ConsumeCPU\n${millicores} millicores\n${seconds} durationSec`);
      }
      case '/ConsumeMem': {
        const megabytes = number('megabytes');
        if (!(megabytes >= 0 && seconds >= 0)) return say(400, 'incorrect function argument');
        // Filled: memory that is not touched is not resident.
        let held = Buffer.alloc(megabytes * MEGABYTE, 1);
        setTimeout(() => {
          held = undefined;
        }, seconds * 1000);
        return say(200, `ConsumeMem\n${held.length / MEGABYTE} megabytes\n${seconds} durationSec`);
      }
      default:
        return say(404, 'unknown function');
    }
  }).listen(port, process.env.POD_IP);
  process.on('SIGTERM', () => process.exit(0));
}

/** A thread of its own: the server answers while it is busy. */
function spin() {
  const wanted = new Set();
  parentPort.on('message', ({ millicores, seconds }) => {
    const share = millicores / 1000;
    wanted.add({ share, until: performance.now() + seconds * 1000 });
  });
  let last = performance.now();
  let debtMs = 0;
  setInterval(() => {
    const now = performance.now();
    let share = 0;
    for (const each of wanted) {
      if (each.until <= now) wanted.delete(each);
      else share += each.share;
    }
    debtMs = Math.min(MOST_DEBT_MS, debtMs + (now - last) * share);
    last = now;
    const before = process.cpuUsage();
    const used = () => {
      const { user, system } = process.cpuUsage(before);
      return (user + system) / 1000;
    };
    while (used() < debtMs && performance.now() - now < PERIOD_MS);
    debtMs -= used();
  }, PERIOD_MS);
}
