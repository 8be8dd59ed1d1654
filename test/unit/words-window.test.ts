// A window of losses as a sentence for an incident.
import * as assert from 'uvu/assert';
import type { CauseShare, LossWindow } from '../../harness/model/results.ts';
import { windowSentence } from '../../harness/words/window.ts';
import { suite } from '../suite.ts';

const test = suite('words: a window of losses');

const share = (cause: CauseShare['cause'], lost: number, confidence: CauseShare['confidence'] = 'high') => ({
  cause,
  lost,
  confidence,
  pods: [],
  facts: [],
});

test('when, how many, how and why', () => {
  const table: [LossWindow, string, string][] = [
    [
      {
        startMs: 12_140,
        endMs: 14_300,
        lost: 98,
        outcomes: { timeout: 98 },
        causes: [share('routed-after-stop', 98)],
      },
      'new',
      'Between 12.1 and 14.3 s 98 new connections timed out because they were routed to pods that had stopped.',
    ],
    [
      {
        startMs: 5000,
        endMs: 6000,
        lost: 1200,
        outcomes: { refused: 1000, reset: 200 },
        causes: [share('routed-after-stop', 200, 'low'), share('routed-before-listening', 1000)],
      },
      'new',
      'Between 5.0 and 6.0 s 1,200 new connections were lost (1,000 refused, 200 reset) because they were routed to pods that did not listen yet (1,000) and they were routed to pods that had stopped (200) (low confidence).',
    ],
    [
      { startMs: 5001, endMs: 5004, lost: 1, outcomes: { refused: 1 }, causes: [] },
      'kept',
      'At 5.0 s 1 of the kept connections was refused; the cause was not decided.',
    ],
  ];
  for (const [window, line, sentence] of table) assert.is(windowSentence(window, line), sentence);
});

test.run();
