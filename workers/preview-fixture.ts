import type { PreviewNews } from '../protocol/announcements.ts';
import { fetchWith } from './file-fixture.ts';

/** Tells a room what was found at links, as the fleet does. */
export async function announcePreviews(channelId: string, previews: readonly PreviewNews[]): Promise<{ status: number; body: unknown }> {
  const data = [{ to: 'room', channel_id: channelId, changes: [], revoked: [], channel: null, previews }];
  const answer = await fetchWith({ FLEET_TOKEN: 'secret' }, '/internal/announcements', {
    method: 'POST', headers: { Authorization: 'Bearer secret', 'Content-Type': 'application/json' }, body: JSON.stringify({ data }),
  });
  return { status: answer.status, body: await answer.json() };
}
