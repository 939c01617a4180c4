import { expect, it } from 'vitest';
import { pathOf, readPath } from './path.ts';

const CHANNEL = '019abcde-0000-7000-8000-00000000000a';
const THREAD = '019abcde-0000-7000-8000-00000000000b';

it.each([
  { channelId: null, threadId: null },
  { channelId: CHANNEL, threadId: null },
  { channelId: CHANNEL, threadId: THREAD },
  { channelId: CHANNEL, threadId: null, messageId: THREAD },
  { channelId: CHANNEL, threadId: THREAD, messageId: CHANNEL },
])('a place is read from the path it makes', (place) => {
  expect(readPath(pathOf(place))).toEqual(place);
});

it.each(['/elsewhere', '/channels/general', `/channels/${CHANNEL}/threads`, `/channels/${CHANNEL}/messages/`])('%s is no place', (path) => {
  expect(readPath(path)).toEqual({ channelId: null, threadId: null });
});
