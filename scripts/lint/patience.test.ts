import { RuleTester } from 'oxlint/plugins-dev';
import { describe, it } from 'vitest';
import plugin from './patience.ts';

RuleTester.describe = describe;
RuleTester.it = it;

new RuleTester().run('no-bare-wait', plugin.rules['no-bare-wait'], {
  valid: ['vi.waitFor(check, 10_000)', 'vi.waitFor(check, WITHIN)', 'vi.waitFor(check, { timeout: 5_000, interval: 50 })', 'vi.waitFor(check, { ...PATIENCE, interval: 50 })', 'locator.waitFor()', 'waitFor(ids)', 'soon(check)'],
  invalid: ['vi.waitFor(check)', 'vi.waitFor(() => expect(seen).toBe(1))', 'vi.waitUntil(check)', 'vi.waitFor(check, { interval: 50 })'].map((code) => ({ code, errors: 1 })),
});
