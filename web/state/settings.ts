import { signal } from '@preact/signals';
import type { ProfileBody } from '../../protocol/api.ts';
import type { DigestMode, EmailSettingsBody } from '../../protocol/email.ts';
import type { NotificationLevel, NotificationSettingsBody, QuietHours } from '../../protocol/notifications.ts';
import type { Theme, TimeFormat, UserSettingsBody } from '../../protocol/settings.ts';
import { refresh } from './account.ts';
import { showAs } from './appearance.ts';
import { ZONE } from './dates.ts';
import { clockOf, minuteOf } from './day-clock.ts';
import { PictureChange } from './picture.ts';
import { api } from './platform.ts';
import { refusalOf } from './reason.ts';
import { StoredPart } from './stored-part.ts';

const EVERY_DAY = [1, 2, 3, 4, 5, 6, 7];
const NIGHT = { start_minute: 22 * 60, end_minute: 7 * 60 };

/** What a user may set, as it is being changed. */
export class SettingsForm {
  readonly name = signal('');
  readonly title = signal('');
  readonly pronouns = signal('');
  /** Of the profile: that of the days on which digests are mailed. Empty: none was chosen. */
  readonly timeZone = signal('');
  readonly theme = signal<Theme>('system');
  readonly timeFormat = signal<TimeFormat>('auto');
  readonly level = signal<NotificationLevel>('mentions');
  /** One a line. */
  readonly keywords = signal('');
  readonly isQuiet = signal(false);
  readonly quietFrom = signal('');
  readonly quietTo = signal('');
  /** On which days and in which zone it is quiet: those that were set, else every day, where this device is. */
  readonly quietDays = signal<readonly number[]>(EVERY_DAY);
  readonly quietZone = signal(ZONE);
  readonly digest = signal<DigestMode>('off');
  /** Null: no verified address is known, and there are no mails. */
  readonly address = signal<string | null>(null);
  readonly afterMinutes = signal('');
  readonly dailyHour = signal('0');

  readonly #profile = new StoredPart('Your profile', {
    read: api.me,
    change: api.changeProfile,
    show: ({ display_name, title, pronouns, time_zone }) => {
      this.name.value = display_name;
      this.title.value = title;
      this.pronouns.value = pronouns;
      this.timeZone.value = time_zone ?? '';
    },
    body: (): ProfileBody => ({ display_name: this.name.peek(), title: this.title.peek(), pronouns: this.pronouns.peek(), time_zone: this.timeZone.peek() || null }),
  });

  readonly #notifications = new StoredPart('What you are notified of', {
    read: api.notificationSettings,
    change: api.changeNotificationSettings,
    show: ({ level, keywords, quiet_hours: hours }) => {
      this.level.value = level;
      this.keywords.value = keywords.join('\n');
      this.isQuiet.value = hours !== null;
      const { start_minute, end_minute } = hours ?? NIGHT;
      this.quietFrom.value = clockOf(start_minute);
      this.quietTo.value = clockOf(end_minute);
      this.quietDays.value = hours?.weekdays ?? EVERY_DAY;
      this.quietZone.value = hours?.time_zone ?? ZONE;
    },
    body: (): NotificationSettingsBody => ({ level: this.level.peek(), keywords: linesOf(this.keywords.peek()), quiet_hours: this.#quietHours() }),
  });

  readonly #email = new StoredPart('What is mailed to you', {
    read: api.emailSettings,
    change: api.changeEmailSettings,
    show: ({ mode, address, after_minutes, daily_hour }) => {
      this.digest.value = mode;
      this.address.value = address;
      this.afterMinutes.value = String(after_minutes);
      this.dailyHour.value = String(daily_hour);
    },
    body: (): EmailSettingsBody => ({ mode: this.digest.peek(), after_minutes: Number(this.afterMinutes.peek()), daily_hour: Number(this.dailyHour.peek()) }),
  });

  readonly #appearance = new StoredPart('How Colink looks', {
    read: api.settings,
    change: async (version: number, body: UserSettingsBody) => {
      const changed = await api.changeSettings(version, body);
      showAs(changed);
      return changed;
    },
    show: ({ theme, time_format }) => {
      this.theme.value = theme;
      this.timeFormat.value = time_format;
    },
    body: (): UserSettingsBody => ({ theme: this.theme.peek(), time_format: this.timeFormat.peek() }),
  });

  readonly picture = new PictureChange((profile) => this.#profile.moved(profile));

  /** Rejects where one of them cannot be read. */
  async read(): Promise<void> {
    await Promise.all([this.#profile.read(), this.#notifications.read(), this.#email.read(), this.#appearance.read()]);
  }

  /** Rejects with the first part that is refused; what was saved before it stays saved, and is not saved again. `StaleError`: as `StoredPart.save`. */
  async save(): Promise<void> {
    await this.#notifications.save();
    await this.#email.save();
    await this.#appearance.save();
    if (await this.#profile.save()) await refresh();
  }

  #quietHours(): QuietHours | null {
    const [start, end] = [minuteOf(this.quietFrom.peek()), minuteOf(this.quietTo.peek())];
    if (!this.isQuiet.peek() || start === null || end === null) return null;
    return { start_minute: start, end_minute: end, weekdays: [...this.quietDays.peek()], time_zone: this.quietZone.peek() };
  }
}

/** Each once, without blank ones. */
const linesOf = (text: string): string[] => [...new Set(text.split('\n').map((line) => line.trim()))].filter((line) => line !== '');

const FIELDS: Readonly<Record<string, string>> = {
  display_name: 'Displayed name', title: 'Title', pronouns: 'Pronouns', keywords: 'Keyword', quiet_hours: 'Quiet hours', level: 'Notify me of', mode: 'E-mail', after_minutes: 'E-mail: minutes', daily_hour: 'E-mail: time of the day', time_zone: 'Time zone',
};

/** Why settings were not saved, by the fields as the page names them. */
export const refusalInWords = (error: unknown): string => refusalOf(error, FIELDS);
