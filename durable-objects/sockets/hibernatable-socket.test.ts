import { expect, it } from 'vitest';
import { CLOSE_CODES } from '../../protocol/close-codes.ts';
import { id } from '../../tests/support/room-core.ts';
import { answerClose } from './hibernatable-socket.ts';
import type { SocketRecord } from './socket-record.ts';

/** What an attachment may take: 16 KiB in the workerd of 2026-11, 2,048 bytes in the documentation before it. The lower holds everywhere; as structured clone a record is about as long as its JSON. */
const ATTACHMENT_BYTES = 2_048;

it('the largest record of a socket fits into what the platform keeps with it (G8)', () => {
  const most = Number.MAX_SAFE_INTEGER;
  const largest: Required<SocketRecord> = {
    session: id(9, 1), actor: { user_id: id(2, 1), credential_id: id(3, 1), expires_at: most }, epoch: most,
    // So many parts at most, as `cursor.test.ts` holds.
    cursor: { sent: most, acked: most, unread: Array.from({ length: 9 }, () => ({ to: most, bytes: 1024 * 1024 })) },
    settled: false, watching: true, owed: true, missed: true, noticed: true, activity: { idle: false, at: most },
    viewing: { channel_id: id(1, 1), thread_id: id(5, 1), at: most },
  };
  expect(JSON.stringify(largest).length).toBeLessThan(ATTACHMENT_BYTES / 2);
});

it.each(Object.keys(CLOSE_CODES).map(Number))('a close %s by the client is answered with its own code, and with 1000 where that only reports (P41)', (code) => {
  const answers: (number | undefined)[] = [];
  answerClose({ close: (answer?: number) => void answers.push(answer) } as Partial<WebSocket> as WebSocket, code);
  expect(answers).toEqual([code === 1005 || code === 1006 ? 1000 : code]);
});
