import { expect, it } from 'vitest';
import { besideAnchor } from './placement.ts';

const viewport = { width: 400, height: 600 };
const size = { width: 300, height: 200 };

it.each([
  ['below, flush right', { top: 100, bottom: 130, right: 380 }, { left: 80, top: 134 }],
  ['above where there is no room below', { top: 500, bottom: 530, right: 380 }, { left: 80, top: 296 }],
  ['within the left edge', { top: 100, bottom: 130, right: 60 }, { left: 8, top: 134 }],
  ['within the right edge', { top: 100, bottom: 130, right: 420 }, { left: 92, top: 134 }],
])('goes %s', (_, anchor, expected) => {
  expect(besideAnchor(anchor, size, viewport)).toEqual(expected);
});

it('stays in a viewport that is too low for either', () => {
  expect(besideAnchor({ top: 100, bottom: 130, right: 380 }, size, { width: 400, height: 250 })).toEqual({ left: 80, top: 42 });
});
