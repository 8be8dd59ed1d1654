// The report as a reader sees it, in a real browser.
import * as assert from 'uvu/assert';
import { factsOf } from '../../harness/journal/facts.ts';
import { uncheckedJournal } from '../../harness/journal/read.ts';
import { count } from '../../harness/words/figures.ts';
import { renderHtml } from '../../reports/html/page.ts';
import { citedLines, journalView } from '../../reports/html/timeline.ts';
import { renderTrend } from '../../reports/html/trend.ts';
import { fullResults, type SampleRun, sampleRun, sampleSuite } from '../data/sample-run.ts';
import { suite } from '../suite.ts';
import { noBrowser, withPages } from './browser.ts';

const test = suite('page: report', { timeoutMs: 60_000, skip: noBrowser });

function pageOf({ results, journals }: SampleRun): string {
  const cited = citedLines(results);
  const views = new Map(
    [...journals].map(([file, records]) => [
      file,
      journalView(factsOf(uncheckedJournal(records)), cited.get(file)),
    ]),
  );
  return renderHtml({ results, journals: views });
}
const single = sampleRun({ emulated: true });
const many = sampleSuite(12, true);
const pages = { 'single.html': pageOf(single), 'suite.html': pageOf(many) };

test('the answer is the first thing to be seen, with verdict, losses, cause and change above the fold', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    const heading = await page.locator('h1').boundingBox();
    assert.ok(heading!.y + heading!.height < 400, `h1 ends at ${heading!.y + heading!.height}`);
    for (const title of ['Is it safe?', 'Why not?', 'What to change', 'How sure is this?']) {
      const box = await page.getByRole('heading', { name: title }).boundingBox();
      assert.ok(box!.y < 400, `"${title}" at ${box!.y}`);
    }
    for (const text of ['readinessProbe', 'gracefulShutdown']) {
      const box = await page.locator('.settings code', { hasText: text }).first().boundingBox();
      assert.ok(box!.y + box!.height < 800, `"${text}" at ${box!.y}`);
    }
    const first = await page.locator('main').innerText();
    assert.match(first.slice(0, 300), /proven/);
    assert.match(first.slice(0, 300), /emulated Kubernetes/);
  });
});

test('figures in the page equal those in the results and in the journals', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    const { experiments } = single.results.scenarios[0]!;
    const groups = page.locator('table.compare tbody');
    for (const [i, lane] of (['new', 'kept'] as const).entries()) {
      const rows = groups.nth(i).locator('tr');
      for (const [column, experiment] of experiments.entries()) {
        const { lost, attempts, outcomes } = experiment.lanes[lane]!;
        const cell = rows
          .filter({ has: page.locator('td.lost') })
          .locator('td')
          .nth(column);
        assert.match(await cell.innerText(), new RegExp(`^${count(lost)} of ${count(attempts)}`));
        if (!outcomes.refused) continue;
        const refused = rows.filter({ hasText: 'refused' }).locator('td').nth(column);
        assert.is(await refused.innerText(), count(outcomes.refused), `${experiment.variant} ${lane}`);
        const listed = [...single.journals.get(experiment.journal)!].reduce(
          (sum, record) =>
            record.type === 'frame'
              ? sum +
                (record.frame.streams[lane]?.failures.filter((failure) => failure.outcome === 'refused')
                  .length ?? 0)
              : sum,
          0,
        );
        assert.is(listed, outcomes.refused);
      }
    }
  });
});

test('no request leaves the page and nothing complains', async () => {
  await withPages(pages, {}, async (open) => {
    for (const name of Object.keys(pages)) {
      const { page, requests, complaints } = await open(name);
      for (const summary of await page.locator('details:not([open]) > summary').all()) {
        if (await summary.isVisible()) await summary.click();
      }
      await page.mouse.wheel(0, 4000);
      await page.waitForTimeout(300);
      assert.equal(requests, [], name);
      assert.equal(complaints, [], name);
    }
  });
});

test('with scripts off everything important can be read', async () => {
  await withPages(pages, { javaScriptEnabled: false }, async (open) => {
    const { page } = await open('single.html');
    assert.is(await page.locator('figure svg[role=img]').count(), 2);
    const lane = page.locator('figure').first().locator('path.o-refused').first();
    assert.ok((await lane.boundingBox())!.width > 50, 'losses are drawn');
    for (const text of ['Before and after', 'Why attempts were lost', 'Claims', 'What this does not prove']) {
      assert.ok(await page.getByRole('heading', { name: text }).isVisible(), text);
    }
    assert.is(await page.locator('[data-packed]').count(), 0);
    const suitePage = (await open('suite.html')).page;
    assert.is(await suitePage.locator('table.overview tbody tr').count(), 12);
    await suitePage.locator('table.overview a', { hasText: 'Scenario rollback' }).click();
    assert.ok(await suitePage.locator('#s-rollback h3').first().isVisible(), 'the link opens the scenario');
  });
});

test('text from the cluster stays text', async () => {
  const hostile = sampleRun({
    podPrefix: '<img src=x onerror="document.title=1"><script>document.title=2</script>',
  });
  await withPages({ 'hostile.html': pageOf(hostile) }, {}, async (open) => {
    const { page, complaints } = await open('hostile.html');
    const title = await page.title();
    const plot = page.locator('.tl-plot').first();
    await plot.scrollIntoViewIfNeeded();
    await plot.hover({ position: { x: 300, y: 100 } });
    assert.match(await page.locator('.tl-readout').first().innerText(), '<script>');
    assert.is(await page.title(), title);
    assert.is(await page.locator('main img').count(), 0);
    assert.equal(complaints, []);
  });
});

test('packed parts unfold when their scenario opens, with the same content as open ones', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('suite.html');
    const scenario = page.locator('#s-case-11');
    assert.is(await scenario.locator('figure').count(), 0);
    await page.locator('details.scenario > summary', { hasText: 'case-11' }).click();
    await scenario.locator('figure').first().waitFor();
    assert.is(await scenario.locator('figure').count(), 2);
    assert.is(await scenario.locator('.tl-tools').count(), 2);
  });
});

test('a link to a cited line opens what it takes to see it', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    const link = page.locator('a.line').first();
    const id = (await link.getAttribute('href'))!.slice(1);
    await link.click();
    await page.locator(`[id="${id}"]`).waitFor({ state: 'visible' });
    assert.match(await page.locator(`[id="${id}"]`).innerText(), /"type":/);
  });
});

test('the time line zooms, moves and answers at the cursor, by mouse and by keyboard, both variants together', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    const boxes = () =>
      page
        .locator('figure svg[role=img]')
        .evaluateAll((all) => all.map((one) => one.getAttribute('viewBox')!.split(' ').map(Number)));
    const [before] = await boxes();
    await page.getByRole('button', { name: 'Zoom in' }).first().click();
    const [first, second] = await boxes();
    assert.is(first![2], before![2]! / 2);
    assert.equal(first!.slice(0, 3), second!.slice(0, 3));
    await page.getByRole('button', { name: 'Later' }).first().click();
    assert.ok((await boxes())[0]![0]! > first![0]!);
    await page.getByRole('button', { name: 'Show the whole time line' }).first().click();
    assert.equal((await boxes())[0], before);
    const scroll = page.locator('.tl-scroll').first();
    await scroll.focus();
    const readout = page.locator('.tl-readout').first();
    for (let i = 0; i < 20; i++) await page.keyboard.press('ArrowRight');
    const at = Number.parseFloat(await readout.innerText());
    assert.ok(Math.abs(at - before![2]! / 5 / 1000) < 0.02, `${at}`);
    const { new: lane } = single.results.scenarios[0]!.experiments[0]!.lanes;
    assert.match(await readout.innerText(), /lost: \d+ refused/, `${lane!.lost} are lost at that time`);
    await page.keyboard.press('+');
    assert.is((await boxes())[0]![2], before![2]! / 2);
    await page.keyboard.press('0');
    assert.equal((await boxes())[0], before);
  });
});

test('keyboard: everything that can be used can be reached and shows where it is', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    await page.keyboard.press('Tab');
    assert.is(await page.evaluate('document.activeElement.textContent'), 'Skip to the answer');
    const reached = new Set<string>();
    for (let i = 0; i < 60; i++) {
      await page.keyboard.press('Tab');
      reached.add(
        String(await page.evaluate('document.activeElement.className || document.activeElement.tagName')),
      );
      const outline = String(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle'));
      assert.is.not(outline, 'none', `focus ${i} is visible`);
    }
    for (const name of ['tl-scroll', 'BUTTON', 'SUMMARY', 'A', 'diff']) assert.ok(reached.has(name), name);
  });
});

test('contrast of all text is at least 4.5 in light and dark', async () => {
  for (const colorScheme of ['light', 'dark'] as const) {
    await withPages(
      { ...pages, 'full.html': pageOf({ ...single, results: fullResults() }) },
      { colorScheme },
      async (open) => {
        for (const name of ['single.html', 'suite.html', 'full.html']) {
          const { page } = await open(name);
          const weak = await page.evaluate(contrastProbe);
          assert.equal(weak, [], `${name} ${colorScheme}`);
        }
      },
    );
  }
});

test('tables, figures and headings are what a screen reader needs', async () => {
  await withPages({ ...pages, 'trend.html': renderTrend([]) }, {}, async (open) => {
    for (const name of ['single.html', 'suite.html', 'trend.html']) {
      const { page } = await open(name);
      assert.equal(await page.evaluate(structureProbe), [], name);
    }
  });
});

test('narrow: 390 px need no sideways scrolling of the page', async () => {
  await withPages(pages, { viewport: { width: 390, height: 844 } }, async (open) => {
    for (const name of Object.keys(pages)) {
      const { page } = await open(name);
      const width = await page.evaluate('document.documentElement.scrollWidth');
      assert.ok(Number(width) <= 390, `${name} is ${width} px wide`);
      const heading = await page.locator('h1').boundingBox();
      assert.ok(heading!.y + heading!.height < 500, name);
    }
  });
});

test('print: nothing is wider than the paper (A4, Chromium’s margins)', async () => {
  await withPages(pages, { viewport: { width: 718, height: 1000 } }, async (open) => {
    for (const name of Object.keys(pages)) {
      const { page } = await open(name);
      await page.emulateMedia({ media: 'print' });
      const width = await page.evaluate('document.documentElement.scrollWidth');
      assert.ok(Number(width) <= 718, `${name} is ${width} px wide`);
    }
  });
});

test('print: to PDF, with time lines, without buttons', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    await page.emulateMedia({ media: 'print' });
    assert.is(await page.locator('button:visible').count(), 0);
    assert.ok(await page.locator('figure svg[role=img]').first().isVisible());
    const pdf = await page.pdf({ format: 'A4', printBackground: true });
    assert.ok(pdf.length > 20_000 && pdf.subarray(0, 5).toString() === '%PDF-');
  });
});

test('a print has what is packed, too, and a picture of the whole page no empty places', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('suite.html');
    const [figures, left] = [page.locator('figure svg[role=img]'), page.locator('[data-packed]')];
    const every = many.results.scenarios.reduce((sum, { experiments }) => sum + experiments.length, 0);
    assert.ok((await left.count()) > 0, 'something is packed');
    // What is packed is made ready behind the page's back, which takes a busy machine a while.
    for (let tries = 0; tries < 60 && (await figures.count()) < every; tries++) {
      await page.waitForTimeout(500);
      await page.evaluate('dispatchEvent(new Event("beforeprint"))');
    }
    assert.is(await left.and(page.locator(':not(.rows [data-packed])')).count(), 0);
    assert.is(await figures.count(), every);
    for (const figure of await figures.all()) assert.ok(await figure.isVisible());
    const hidden = await page.evaluate(
      `[...document.querySelectorAll('main *')].filter((one) => getComputedStyle(one).contentVisibility === 'auto').length`,
    );
    assert.is(hidden, 0);
  });
});

test('a link to a moment shows it: time, variant and lane; each window has a sentence to paste', async () => {
  await withPages(pages, {}, async (open) => {
    const { page } = await open('single.html');
    const link = page.locator('a.moment').first();
    const [, from, to, id, lane] = /#at=([\d.]+)-([\d.]+)&in=([^&]+)&lane=(.+)/.exec(
      (await link.getAttribute('href'))!,
    )!;
    await link.click();
    const figure = page.locator(`[id="${id}"]`);
    const readout = figure.locator('.tl-readout');
    await readout.filter({ hasText: `${from} s` }).waitFor();
    const box = (await figure.locator('svg[role=img]').getAttribute('viewBox'))!.split(' ').map(Number);
    assert.ok(
      box[0]! <= Number(from) * 1000 && box[0]! + box[2]! >= Number(to) * 1000,
      'the span is in view',
    );
    assert.match(await figure.locator('.tl-label.at').innerText(), new RegExp(`^lane ${lane}`));
    const said = await page.locator('.say code').first().innerText();
    assert.match(said, /^Between [\d.]+ and [\d.]+ s [\d,]+ new connections .* because .*\.$/);
  });
});

test('a large suite opens at once', async () => {
  const text = pageOf(sampleSuite(120, true));
  await withPages({ 'large.html': text }, {}, async (open) => {
    const started = performance.now();
    const { page, complaints } = await open('large.html');
    await page.locator('h1').waitFor();
    await page.locator('table.overview tbody tr').nth(119).waitFor({ state: 'attached' });
    assert.ok(performance.now() - started < 10_000, `${Math.round(performance.now() - started)} ms`);
    assert.equal(complaints, []);
  });
});

/** Runs in the page: elements with text of their own whose contrast to what lies behind is below WCAG AA. */
const contrastProbe = `(() => {
  const parse = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (v) => { const s = v / 255; return s <= 0.03928 ? s / 12.92 : ((s + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const behind = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  for (const details of document.querySelectorAll('details')) details.open = true;
  const weak = new Set();
  for (const element of document.querySelectorAll('body *')) {
    if (element.closest('svg, script, style, noscript')) continue;
    const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
    if (!own) continue;
    const a = luminance(parse(getComputedStyle(element).color));
    const b = luminance(behind(element));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) weak.add(element.tagName + '.' + element.className + ' ' + ratio.toFixed(2));
  }
  return [...weak];
})()`;

/** Runs in the page: what basic accessibility checks would name. */
const structureProbe = `(() => {
  const found = [];
  const say = (element, what) => found.push(what + ': ' + element.outerHTML.slice(0, 80));
  if (!document.documentElement.lang) found.push('no language');
  if (document.querySelectorAll('h1').length !== 1) found.push('not one h1');
  if (document.querySelectorAll('main').length !== 1) found.push('not one main');
  for (const table of document.querySelectorAll('table')) {
    if (!table.caption?.textContent.trim()) say(table, 'no caption');
    if (!table.querySelector('th[scope=col]')) say(table, 'no column headers');
    for (const row of table.tBodies[0]?.rows ?? []) if (!row.querySelector('th') && row.cells.length === table.tHead.rows[0].cells.length) say(row, 'no row header');
  }
  for (const svg of document.querySelectorAll('svg')) {
    if (svg.getAttribute('role') !== 'img' && svg.getAttribute('aria-hidden') !== 'true') say(svg, 'svg neither image nor hidden');
    if (svg.getAttribute('role') === 'img') for (const id of svg.getAttribute('aria-labelledby').split(' ')) if (!document.getElementById(id)?.textContent) say(svg, 'no label');
  }
  for (const part of document.querySelectorAll('[aria-labelledby]')) for (const id of part.getAttribute('aria-labelledby').split(' ')) if (!document.getElementById(id)) say(part, 'label ' + id + ' is missing');
  for (const button of document.querySelectorAll('button, a[href], summary')) if (!button.textContent.trim() && !button.getAttribute('aria-label')) say(button, 'no name');
  let last = 0;
  for (const heading of document.querySelectorAll('h1, h2, h3, h4, h5, h6')) {
    const level = Number(heading.tagName[1]);
    if (level > last + 1) say(heading, 'level ' + last + ' → ' + level);
    last = level;
  }
  return found;
})()`;

test.run();
