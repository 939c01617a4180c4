import { signal } from '@preact/signals';
import { currentStatus } from '../../client/presence.ts';
import type { PresenceBody } from '../../protocol/api.ts';
import type { PresenceChoice } from '../../protocol/presence.ts';
import { emojiName } from './emoji.ts';

/** How long a status lasts. `kept`: until when it was said before. */
export type Lasting = 'kept' | 'open' | 'half_hour' | 'hour' | 'four_hours' | 'today' | 'week';

export interface Preset {
  readonly emoji: string;
  readonly text: string;
  readonly lasting: Lasting;
}

export const PRESETS: readonly Preset[] = [
  { emoji: '📅', text: 'In a meeting', lasting: 'hour' },
  { emoji: '🎧', text: 'Focusing', lasting: 'four_hours' },
  { emoji: '🥪', text: 'At lunch', lasting: 'half_hour' },
  { emoji: '🏠', text: 'Working from home', lasting: 'today' },
  { emoji: '🤒', text: 'Out sick', lasting: 'today' },
  { emoji: '🌴', text: 'On holiday', lasting: 'week' },
];

const MINUTE_MS = 60_000;
const MINUTES: Partial<Record<Lasting, number>> = { half_hour: 30, hour: 60, four_hours: 240 };

/** When a status that begins at `now` ends, as local days and weeks go; null: when it is taken back. */
export function endOf(lasting: Exclude<Lasting, 'kept'>, now: Date): Date | null {
  if (lasting === 'open') return null;
  const minutes = MINUTES[lasting];
  if (minutes !== undefined) return new Date(now.getTime() + minutes * MINUTE_MS);
  // Sunday is the last day of the week.
  const days = lasting === 'today' ? 1 : 8 - (now.getDay() || 7);
  return new Date(now.getFullYear(), now.getMonth(), now.getDate() + days);
}

/** A status as it is being written. */
export class StatusDraft {
  readonly choice;
  readonly emoji;
  readonly text;
  readonly lasting;
  /** Until when the status of before lasts, epoch milliseconds: what `kept` stands for. */
  readonly until: number | null;

  constructor(before: PresenceBody | null, now: number) {
    const status = currentStatus(before?.status, now);
    this.choice = signal<PresenceChoice>(before?.choice ?? 'auto');
    this.emoji = signal<string | null>(status?.emoji ?? null);
    this.text = signal(status?.text ?? '');
    this.until = status?.expires_at ? Date.parse(status.expires_at) : null;
    this.lasting = signal<Lasting>(this.until === null ? 'open' : 'kept');
  }

  get isEmpty(): boolean {
    return this.text.value.trim() === '' && this.emoji.value === null;
  }

  take({ emoji, text, lasting }: Preset): void {
    this.emoji.value = emoji;
    this.text.value = text;
    this.lasting.value = lasting;
  }

  clear(): void {
    this.take({ emoji: '', text: '', lasting: 'open' });
    this.emoji.value = null;
  }

  /** What is to be said at `now`. An emoji alone says its name. */
  body(now: Date): PresenceBody {
    const choice = this.choice.peek();
    const emoji = this.emoji.peek();
    const text = this.text.peek().trim() || (emoji && (emojiName(emoji) ?? emoji)) || '';
    return { choice, status: text === '' ? null : { text, emoji, expires_at: this.#end(now)?.toISOString() ?? null } };
  }

  #end(now: Date): Date | null {
    const lasting = this.lasting.peek();
    if (lasting !== 'kept') return endOf(lasting, now);
    return this.until === null ? null : new Date(this.until);
  }
}
