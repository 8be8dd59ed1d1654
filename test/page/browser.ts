// A headless Chromium for page tests: Debian's or the system's. Where there is none the tests are skipped, visibly.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const places = [
  process.env.ROLLPROOF_CHROMIUM,
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
];
const executablePath = places.find((place) => place !== undefined && place !== '' && existsSync(place));

/** Reason to skip, or undefined when there is a browser. */
export const noBrowser = executablePath
  ? undefined
  : 'no Chromium: install it (apt-get install chromium) or name one in ROLLPROOF_CHROMIUM';

interface OpenPage {
  readonly page: Page;
  /** Requests other than the file itself, and what the console or the page complained about. */
  readonly requests: readonly string[];
  readonly complaints: readonly string[];
}

/** Opens pages by name (file name → HTML) in a browser of its own, with a new profile; all is gone afterwards. */
export async function withPages(
  pages: Readonly<Record<string, string>>,
  options: BrowserContextOptions,
  body: (open: (name: string) => Promise<OpenPage>) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'rollproof-page-'));
  try {
    for (const [name, text] of Object.entries(pages)) await writeFile(join(folder, name), text);
    const context = await chromium.launchPersistentContext(join(folder, 'profile'), {
      ...(executablePath ? { executablePath } : {}),
      headless: true,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
      viewport: { width: 1280, height: 800 },
      ...options,
    });
    try {
      await body(async (name) => {
        const url = pathToFileURL(join(folder, name)).href;
        const page = await context.newPage();
        const requests: string[] = [];
        const complaints: string[] = [];
        page.on('request', (request) => {
          if (request.url().split('#')[0] !== url && !request.url().startsWith('data:'))
            requests.push(request.url());
        });
        page.on('console', (message) => {
          if (['error', 'warning'].includes(message.type())) complaints.push(message.text());
        });
        page.on('pageerror', (error) => complaints.push(error.message));
        await page.goto(url);
        return { page, requests, complaints };
      });
    } finally {
      await context.close();
    }
  } finally {
    await rm(folder, { recursive: true, force: true, maxRetries: 5 });
  }
}
