import { describe, expect, it } from 'vitest';
import type { ConnectionState } from '../../client/lifecycle.ts';
import { type Standing, statusOf, worseOff } from './connection-words.ts';

const NOW = 1_000_000;
const standing = (connection: ConnectionState, parts: Partial<Standing> = {}): Standing => ({ isOnline: true, connection, hasBeenLive: true, now: NOW, ...parts });
const waiting = (seconds: number): ConnectionState => ({ name: 'waiting', reason: 'abnormal', retryAt: NOW + seconds * 1_000 });

describe('the words for a connection', () => {
  it.each<[ConnectionState, string, string | null]>([
    [{ name: 'open' }, 'Live', null],
    [{ name: 'connecting' }, 'Reconnecting…', 'The connection was lost. Reconnecting…'],
    [waiting(4.2), 'Reconnecting in 5 s', 'The connection was lost. Next try in 5 s.'],
    [waiting(-1), 'Reconnecting now', 'The connection was lost. Next try now.'],
    [{ name: 'paused', reason: 'offline' }, 'Offline', 'You are offline. What you write is sent when you are back.'],
    [{ name: 'paused', reason: 'hidden' }, 'Paused', null],
    [{ name: 'closed', reason: 'unauthenticated' }, 'Signed out', 'You have been signed out.'],
    [{ name: 'closed', reason: 'bad_frame' }, 'Disconnected', 'This page is out of date and no longer live. Reload it to go on.'],
  ])('%j', (connection, text, notice) => {
    expect(statusOf(standing(connection))).toMatchObject({ text, notice });
  });

  it('do not speak of a connection that was lost before there was one', () => {
    expect(statusOf(standing({ name: 'connecting' }, { hasBeenLive: false })).text).toBe('Connecting…');
    expect(statusOf(standing(waiting(3), { hasBeenLive: false })).notice).toBe('The server could not be reached. Next try in 3 s.');
  });

  it('believe the device that there is no network', () => {
    expect(statusOf(standing({ name: 'open' }, { isOnline: false })).text).toBe('Offline');
  });

  it('are for the worse of two', () => {
    const open: ConnectionState = { name: 'open' };
    expect(worseOff(open, waiting(1))).toEqual(waiting(1));
    expect(worseOff(waiting(1), open)).toEqual(waiting(1));
    expect(worseOff({ name: 'idle' }, open)).toEqual(open);
    expect(worseOff({ name: 'closed', reason: 'stopped' }, open)).toEqual(open);
    expect(worseOff(undefined, open)).toEqual(open);
  });
});
