// What the report gains with scripts on: packed parts unfold, time lines zoom and answer at the cursor, lines copy.
// Nothing that a reader must see depends on it, and nothing here makes a request.
(() => {
  /** Undoes packing.ts: base64 of a raw deflate. */
  async function unpack(text) {
    const bytes = Uint8Array.from(atob(text), (char) => char.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
    return new Response(stream).text();
  }

  /** Packed parts as markup, made ready while nothing else is to do: a print cannot wait for them. */
  const ready = new Map();

  async function unfold(element) {
    const packed = element.dataset.packed;
    if (packed === undefined) return;
    delete element.dataset.packed;
    put(element, ready.get(element) ?? (await unpack(packed)));
  }

  function put(element, markup) {
    ready.delete(element);
    element.innerHTML = markup;
    element.querySelectorAll('.tl').forEach(enliven);
    copyButtons(element);
    makeReady(element);
  }

  async function makeReady(within) {
    for (const element of within.querySelectorAll('[data-packed]')) {
      if (element.closest('details.rows')) continue;
      await new Promise((resolve) => (window.requestIdleCallback ?? setTimeout)(resolve));
      const { packed } = element.dataset;
      if (packed !== undefined) ready.set(element, await unpack(packed));
    }
  }

  /** At once, whatever is packed in one another. */
  function unfoldAll() {
    for (let found = true; found; ) {
      found = false;
      for (const [element, markup] of ready) {
        found = true;
        delete element.dataset.packed;
        put(element, markup);
      }
    }
  }

  /** Packed parts unfold when what they stand in is opened. */
  function watchPacked() {
    document.addEventListener(
      'toggle',
      ({ target }) => {
        if (!target.open || !target.matches('details')) return;
        for (const element of target.querySelectorAll('[data-packed]')) {
          if (element.closest('details') === target) unfold(element);
        }
      },
      true,
    );
    for (const element of document.querySelectorAll('[data-packed]')) {
      if (!element.closest('details:not([open])')) unfold(element);
    }
  }

  /** A link into a part that is folded or packed opens what it takes. */
  async function follow() {
    const hash = decodeURIComponent(location.hash.slice(1));
    if (!hash) return;
    const moment = /^at=([\d.]+)(?:-([\d.]+))?&in=([^&]+)(?:&lane=(.*))?$/.exec(hash);
    const id = moment ? moment[3] : hash;
    let target = document.getElementById(id);
    for (const article of document.querySelectorAll('article[id]')) {
      if (target || !id.startsWith(`${article.id}-`)) continue;
      for (const element of article.querySelectorAll('[data-packed]')) {
        await unfold(element);
        target ??= document.getElementById(id);
      }
    }
    if (!target) return;
    for (let box = target.closest('details'); box; box = box.parentElement?.closest('details'))
      box.open = true;
    if (target.previousElementSibling?.matches('summary')) target.parentElement.open = true;
    target.scrollIntoView({ block: 'center' });
    if (moment)
      moments.get(target)?.(Number(moment[1]) * 1000, Number(moment[2] ?? moment[1]) * 1000, moment[4]);
  }

  /** Shows a span of a time line, by the time line's element. */
  const moments = new Map();

  const zooms = new Map();

  /** Cursor, zoom and keys of one time line. */
  function enliven(figure) {
    const plot = figure.querySelector('.tl-plot');
    const svg = plot.querySelector('svg');
    const texts = [...plot.querySelectorAll('.tl-texts span')];
    const ticks = texts.filter((text) => text.className === 'tick');
    const marks = texts.filter((text) => text.className !== 'tick');
    const full = Number(figure.dataset.to);
    const group = figure.dataset.group;
    const height = svg.viewBox.baseVal.height;
    const source = figure.parentElement.querySelector(`script[data-name="${figure.id}"]`);
    const cursor = document.createElement('div');
    cursor.className = 'tl-cursor';
    cursor.hidden = true;
    plot.append(cursor);
    const readout = document.createElement('output');
    readout.className = 'tl-readout';
    readout.textContent =
      'Point at the time line to read it. With the keyboard: arrow keys move, + and − zoom, 0 shows all.';
    figure.append(readout);
    const tools = document.createElement('div');
    tools.className = 'tl-tools';
    figure.prepend(tools);

    let range = [0, full];
    let atMs = 0;
    let data;

    const button = (text, label, act) => {
      const element = document.createElement('button');
      element.type = 'button';
      element.textContent = text;
      element.title = label;
      element.setAttribute('aria-label', label);
      element.addEventListener('click', act);
      tools.append(element);
    };
    button('Zoom in', 'Zoom in', () => zoomAt(middle(), 0.5));
    button('Zoom out', 'Zoom out', () => zoomAt(middle(), 2));
    button('◂', 'Earlier', () => shift(-0.3));
    button('▸', 'Later', () => shift(0.3));
    button('Show all', 'Show the whole time line', () => share([0, full]));
    button('Link', 'A link to this moment, to be copied from the address', () => {
      const lane = data?.lanes[0]?.stream;
      const at = `#at=${(atMs / 1000).toFixed(2)}&in=${figure.id}${lane ? `&lane=${encodeURIComponent(lane)}` : ''}`;
      history.replaceState(null, '', at);
      navigator.clipboard?.writeText(location.href).catch(() => {});
    });
    moments.set(figure, (fromMs, toMs, lane) => {
      const spare = Math.max(500, toMs - fromMs);
      share([fromMs - spare, toMs + spare]);
      if (source) read(fromMs);
      for (const label of figure.querySelectorAll('.tl-label')) {
        const own = label.querySelector('b')?.textContent;
        label.classList.toggle('at', lane !== undefined && own === `lane ${lane}`);
      }
    });
    const middle = () => (range[0] + range[1]) / 2;

    const members = zooms.get(group) ?? [];
    zooms.set(group, members);
    members.push(show);

    function share(wanted) {
      const span = Math.min(full, Math.max(200, wanted[1] - wanted[0]));
      const from = Math.min(Math.max(0, wanted[0]), full - span);
      for (const member of members) member([from, from + span]);
    }

    function zoomAt(ms, factor) {
      const span = (range[1] - range[0]) * factor;
      const part = (ms - range[0]) / (range[1] - range[0]);
      share([ms - span * part, ms + span * (1 - part)]);
    }

    function shift(part) {
      const by = (range[1] - range[0]) * part;
      share([range[0] + by, range[1] + by]);
    }

    function show(wanted) {
      range = wanted;
      const span = range[1] - range[0];
      svg.setAttribute('viewBox', `${range[0]} 0 ${span} ${height}`);
      for (const mark of marks) {
        const part = (Number(mark.dataset.ms) - range[0]) / span;
        mark.hidden = part < -0.001 || part > 1.001;
        mark.style.left = `${part * 100}%`;
      }
      const every = tickMs(span);
      const first = Math.ceil(range[0] / every) * every;
      while (ticks.length < 14) {
        const more = ticks[0].cloneNode();
        ticks[0].after(more);
        ticks.push(more);
      }
      ticks.forEach((tick, i) => {
        const ms = first + i * every;
        tick.hidden = ms > range[0] + span * 0.985;
        tick.dataset.ms = ms;
        tick.textContent = (ms / 1000).toFixed(every >= 1000 ? 0 : every >= 100 ? 1 : 2);
        tick.style.left = `${((ms - range[0]) / span) * 100}%`;
      });
      svg
        .querySelector('.grid')
        ?.setAttribute('d', ticks.map((tick) => `M${tick.dataset.ms} 16v9999`).join(''));
      place();
    }

    function place() {
      const part = (atMs - range[0]) / (range[1] - range[0]);
      cursor.style.left = `${part * 100}%`;
      if (part < 0 || part > 1) cursor.hidden = true;
    }

    function read(ms) {
      atMs = Math.min(full, Math.max(0, ms));
      cursor.hidden = false;
      place();
      data ??= JSON.parse(source.textContent);
      readout.replaceChildren(...describe(data, atMs));
    }

    const msAt = (event) => {
      const box = plot.getBoundingClientRect();
      return range[0] + ((event.clientX - box.left) / box.width) * (range[1] - range[0]);
    };
    plot.addEventListener('pointermove', (event) => {
      if (source && !event.buttons) read(msAt(event));
    });
    plot.addEventListener('wheel', (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      zoomAt(msAt(event), event.deltaY > 0 ? 1.25 : 0.8);
    });
    plot.addEventListener('dblclick', (event) => zoomAt(msAt(event), 0.4));
    let drag;
    plot.addEventListener('pointerdown', (event) => {
      if (event.button === 0 && event.pointerType === 'mouse') drag = { x: event.clientX, range };
    });
    addEventListener('pointermove', (event) => {
      if (!drag || range[1] - range[0] >= full) return;
      const by = ((drag.x - event.clientX) / plot.clientWidth) * (range[1] - range[0]);
      share([drag.range[0] + by, drag.range[1] + by]);
    });
    addEventListener('pointerup', () => {
      drag = undefined;
    });
    figure.querySelector('.tl-scroll').addEventListener('keydown', (event) => {
      const step = (range[1] - range[0]) / 100;
      const acts = {
        ArrowLeft: () => read(atMs - step),
        ArrowRight: () => read(atMs + step),
        '+': () => zoomAt(atMs, 0.5),
        '-': () => zoomAt(atMs, 2),
        0: () => share([0, full]),
      };
      const act = acts[event.key];
      if (!act || event.ctrlKey || event.metaKey || event.altKey) return;
      event.preventDefault();
      act();
    });
  }

  function tickMs(span) {
    for (let scale = 1; ; scale *= 10)
      for (const step of [1, 2, 5]) if (step * scale * 12 >= span) return step * scale;
  }

  /** What was going on at a time, as text nodes: never as markup, since names come from the cluster. */
  function describe(data, ms) {
    const lines = [];
    const say = (strong, rest) => {
      const b = document.createElement('b');
      b.textContent = strong;
      lines.push(b, ` ${rest}   `);
    };
    say(`${(ms / 1000).toFixed(2)} s`, '');
    for (const lane of data.lanes) {
      const i = Math.min(lane.ok.length - 1, Math.floor(ms / lane.bucketMs));
      const lost = Object.entries(lane.lost)
        .map(([outcome, entries]) => [outcome, entries.find(([bucket]) => bucket === i)?.[1] ?? 0])
        .filter(([, n]) => n > 0)
        .map(([outcome, n]) => `${n} ${outcome}`);
      const shed = lane.shed[i] ? `, ${lane.shed[i]} not sent` : '';
      say(
        lane.stream,
        `${lane.ok[i] ?? 0} ok${lost.length ? `, lost: ${lost.join(', ')}` : ''}${shed}, slowest ${lane.slowestMs[i] ?? 0} ms (per ${lane.bucketMs} ms);`,
      );
    }
    const ready = data.ready.findLast(([at]) => at <= ms);
    if (ready)
      say('ready', `${ready[1]}${ready[2] === undefined || ready[2] === null ? '' : ` of ${ready[2]}`};`);
    const queue = data.queue.findLast(([at]) => at <= ms);
    if (queue) say('queue', `${queue[1]} waiting, ${queue[2] ?? '?'} done per second;`);
    const within = (spans) => spans.find(([, from, to]) => from <= ms && ms < to)?.[0];
    const pods = data.pods
      .map((pod) => ({
        name: pod.name,
        state: within(pod.states),
        endpoint: within(pod.endpoint),
        phase: pod.phases.findLast(([, at]) => at <= ms)?.[0],
      }))
      .filter((pod) => pod.state);
    if (pods.length <= 12) {
      for (const pod of pods) {
        const parts = [
          pod.state,
          pod.endpoint && `endpoint ${pod.endpoint}`,
          pod.phase && `app ${pod.phase}`,
        ];
        say(pod.name, `${parts.filter(Boolean).join(', ')};`);
      }
    } else say('pods', `${pods.length}`);
    return lines;
  }

  function copyButtons(within) {
    for (const box of within.querySelectorAll('.command')) {
      const button = document.createElement('button');
      button.type = 'button';
      button.textContent = 'Copy';
      button.addEventListener('click', async () => {
        const text = box.querySelector('code').textContent;
        try {
          await navigator.clipboard.writeText(text);
          button.textContent = 'Copied';
        } catch {
          getSelection().selectAllChildren(box.querySelector('code'));
          button.textContent = 'Selected';
        }
      });
      box.append(button);
    }
  }

  watchPacked();
  document.querySelectorAll('.tl').forEach(enliven);
  copyButtons(document);
  addEventListener('hashchange', follow);
  addEventListener('beforeprint', () => {
    unfoldAll();
    for (const box of document.querySelectorAll('details.scenario, details.lazy:not(.rows)')) box.open = true;
  });
  makeReady(document);
  follow();
})();
