import { expect, test } from 'vitest';
import { forWorker } from './worker-front.ts';

const isForWorker = forWorker({ workerFirst: ['/v1/*', '/health', '/openapi.json'], assets: ['/index.html', '/assets/app.js', '/about.html'] });

test.each([
  ['/v1/channels', false, true],
  ['/v1/channels', true, true],
  ['/health', false, true],
  ['/healthy', true, false],
  ['/openapixjson', false, true],
  ['/', false, false],
  ['/about', false, false],
  ['/assets/app.js', false, false],
  ['/assets/gone.js', false, true],
  ['/c/general', true, false],
  ['/c/general', false, true],
])('%s (navigating: %s) is for the Worker: %s', (path, navigates, expected) => {
  expect(isForWorker(path, navigates)).toBe(expected);
});
