import type { Theme, UserSettings } from '../../protocol/settings.ts';
import { timeFormat } from './dates.ts';
import { api } from './platform.ts';

/** On this device, so that the page has its colours before anything is read. */
const KEY = 'colink.theme';

/** Has the page look as its user wants it on all devices. */
export function showAs({ theme, time_format }: Pick<UserSettings, 'theme' | 'time_format'>): void {
  localStorage.setItem(KEY, theme);
  document.documentElement.dataset['theme'] = theme;
  timeFormat.value = time_format;
}

/** As the page looked when it was here last, until it is read how it should look. */
export function showAsBefore(): void {
  document.documentElement.dataset['theme'] = localStorage.getItem(KEY) ?? ('system' satisfies Theme);
}

/** Failing to is no matter: the page stays as it looks. */
export async function readAppearance(): Promise<void> {
  await api.settings().then(showAs, () => {});
}

/** Who signs in next has a taste of their own. */
export function forgetAppearance(): void {
  showAs({ theme: 'system', time_format: 'auto' });
}
