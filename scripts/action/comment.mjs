// The step of action.yml that comments on a pull request: one comment per key, renewed by later runs. Reads SUMMARY (a
// file), KEY, TOKEN and what GitHub sets (GITHUB_REPOSITORY, GITHUB_EVENT_PATH, GITHUB_API_URL); writes `url` to
// GITHUB_OUTPUT. A comment that cannot be made is a warning: it says nothing about the rollout.
import { appendFileSync, readFileSync } from 'node:fs';

const { SUMMARY, KEY = '', TOKEN, GITHUB_REPOSITORY, GITHUB_EVENT_PATH, GITHUB_OUTPUT } = process.env;
const api = process.env.GITHUB_API_URL ?? 'https://api.github.com';
const LIMIT_MS = 30_000;
/** Pages of 100 comments that are looked through. */
const MOST_PAGES = 30;
/** Of GitHub: longer bodies are refused. */
const MOST_CHARACTERS = 65_536;

const marker = `<!-- rollproof ${KEY.replace(/[^\w./-]/g, '_')} -->`;

try {
  const url = await comment();
  appendFileSync(GITHUB_OUTPUT, `url=${url}\n`);
  console.log(`The comment: ${url}`);
} catch (error) {
  console.log(`::warning title=rollproof::The comment was not made: ${escaped(error.message)}`);
}

async function comment() {
  const number = JSON.parse(readFileSync(GITHUB_EVENT_PATH, 'utf8')).pull_request?.number;
  if (!Number.isSafeInteger(number)) throw new Error('the event names no pull request.');
  const body = bodyOf(readFileSync(SUMMARY, 'utf8'));
  const comments = `/repos/${GITHUB_REPOSITORY}/issues/${number}/comments`;
  const found = await ours(comments);
  const made = found
    ? await call('PATCH', `/repos/${GITHUB_REPOSITORY}/issues/comments/${found.id}`, { body })
    : await call('POST', comments, { body });
  return made.html_url;
}

async function ours(comments) {
  for (let page = 1; page <= MOST_PAGES; page++) {
    const found = await call('GET', `${comments}?per_page=100&page=${page}`);
    // Somebody may have quoted the marker; only what a bot wrote can be ours.
    const own = found.find((one) => one.body?.startsWith(marker) && one.user?.type === 'Bot');
    if (own || found.length < 100) return own;
  }
  return undefined;
}

function bodyOf(text) {
  const whole = `${marker}\n${text}`;
  if (whole.length <= MOST_CHARACTERS) return whole;
  const note = '\n\n_The rest is in the artifact._\n';
  return whole.slice(0, MOST_CHARACTERS - note.length) + note;
}

async function call(method, path, body) {
  const response = await fetch(api + path, {
    method,
    headers: {
      Accept: 'application/vnd.github+json',
      Authorization: `Bearer ${TOKEN}`,
      'Content-Type': 'application/json',
      'User-Agent': 'rollproof',
      'X-GitHub-Api-Version': '2022-11-28',
    },
    signal: AbortSignal.timeout(LIMIT_MS),
    ...(body && { body: JSON.stringify(body) }),
  });
  if (response.ok) return response.json();
  const why =
    response.status === 403 || response.status === 404
      ? ' Give the job "permissions: pull-requests: write"; a pull request from a fork never has it, and the summary of the job says the same.'
      : '';
  throw new Error(`${method} ${path} was answered with ${response.status}.${why}`);
}

/** What a workflow command takes (GitHub: % and line breaks). */
function escaped(text) {
  return text.replaceAll('%', '%25').replaceAll('\r', '%0D').replaceAll('\n', '%0A');
}
