import { signal } from '@preact/signals';
import type { ChannelNotificationSettings } from '../../protocol/notifications.ts';
import { attempt } from './notices.ts';
import { api } from './platform.ts';

/** By channel, as far as they have been read. */
const settings = signal<ReadonlyMap<string, ChannelNotificationSettings>>(new Map());

export const isMuted = (channelId: string): boolean => settings.value.get(channelId)?.muted ?? false;

/** Failing to read it is no matter: the channel is shown as not muted. */
export async function learnMute(channelId: string): Promise<void> {
  await read(channelId).catch(() => {});
}

export async function toggleMute(channelId: string): Promise<void> {
  await attempt(isMuted(channelId) ? 'unmute the channel' : 'mute the channel', async () => {
    // Another device may have changed it since.
    const { version, muted } = await read(channelId);
    keep(channelId, await api.changeChannelNotificationSettings(channelId, version, { muted: !muted }));
  });
}

async function read(channelId: string): Promise<ChannelNotificationSettings> {
  const found = await api.channelNotificationSettings(channelId);
  keep(channelId, found);
  return found;
}

function keep(channelId: string, found: ChannelNotificationSettings): void {
  settings.value = new Map(settings.peek()).set(channelId, found);
}
