import { describe, expect, it } from 'vitest';
import type { PresenceBody } from '../../protocol/api.ts';
import { presenceBodySchema } from '../../protocol/api.ts';
import { endOf, PRESETS, StatusDraft } from './status-draft.ts';

// A Thursday.
const NOW = new Date(2026, 10, 26, 13, 15);
const local = (day: number, hour = 0, minute = 0): number => new Date(2026, 10, day, hour, minute).getTime();
const away: PresenceBody = { choice: 'away', status: { text: 'Out', emoji: '🌴', expires_at: new Date(local(26, 15)).toISOString() } };

describe('a status', () => {
  it.each([
    ['half_hour', local(26, 13, 45)],
    ['four_hours', local(26, 17, 15)],
    ['today', local(27)],
    ['week', local(30)],
    ['open', undefined],
  ] as const)('that lasts %s ends then', (lasting, end) => {
    expect(endOf(lasting, NOW)?.getTime()).toBe(end);
  });

  it('of a Sunday that lasts the week ends with that day', () => {
    expect(endOf('week', new Date(2026, 10, 29, 10))?.getTime()).toBe(local(30));
  });

  it('is what was suggested, and fit for the wire', () => {
    for (const preset of PRESETS) {
      const draft = new StatusDraft(null, NOW.getTime());
      draft.take(preset);
      expect(presenceBodySchema.parse(draft.body(NOW)).status).toMatchObject({ text: preset.text, emoji: preset.emoji });
    }
  });

  it('keeps the end it had, unless another is chosen', () => {
    const draft = new StatusDraft(away, NOW.getTime());
    draft.text.value = 'Out for lunch';
    expect(draft.body(NOW)).toEqual({ choice: 'away', status: { ...away.status, text: 'Out for lunch' } });
    draft.lasting.value = 'hour';
    expect(draft.body(NOW).status?.expires_at).toBe(new Date(local(26, 14, 15)).toISOString());
  });

  it('that has ended is not brought back', () => {
    const draft = new StatusDraft(away, local(26, 16));
    expect([draft.isEmpty, draft.body(NOW)]).toEqual([true, { choice: 'away', status: null }]);
  });

  it('that was cleared is taken back', () => {
    const draft = new StatusDraft(away, NOW.getTime());
    draft.clear();
    expect(draft.body(NOW)).toEqual({ choice: 'away', status: null });
  });

  it('of an emoji alone says its name', () => {
    const draft = new StatusDraft(null, NOW.getTime());
    draft.emoji.value = '🚀';
    expect(draft.body(NOW).status).toEqual({ text: 'rocket', emoji: '🚀', expires_at: null });
  });
});
