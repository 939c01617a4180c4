import { describe, expect, it } from 'vitest';
import { problemDocument } from '../protocol/errors.ts';
import { ClosedError, QueueFullError } from './errors.ts';
import { connect, frame, hello, open } from './testing/connected.ts';

const result = { message_id: 'm', seq: 9, pos: 1, thread_id: null, tpos: null, at: 'now', changed: true };

describe('commands of a connection', () => {
  it('get their own result or problem', async () => {
    const { server, connection } = await open();
    const deleted = connection.command({ type: 'delete', message_id: 'm' });
    const edited = connection.command({ type: 'edit', message_id: 'n', text: 'x' });
    expect(server.latest.frames.map((sent) => ('id' in sent ? sent.id : null))).toEqual([null, '1', '2']);
    server.latest.deliver({ type: 'result', re: '2', problem: problemDocument({ code: 'forbidden' }) });
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    await expect(deleted).resolves.toEqual(result);
    await expect(edited).rejects.toMatchObject({ code: 'forbidden' });
  });

  it('go once where they were given before the welcome', async () => {
    const { server, connection } = await connect();
    void connection.command({ type: 'delete', message_id: 'm' });
    expect(server.latest.frames).toEqual([]);
    server.latest.welcome({ seq: 5, recovered: true });
    expect(server.latest.frames).toEqual([hello, { type: 'delete', message_id: 'm', id: '1' }]);
  });

  it('G2: go again, under the same ids, where a disconnect left them unanswered (P25)', async () => {
    const { server, retry, connection } = await open();
    const sent = connection.command({ type: 'send', client_msg_id: 'c1', text: 'hello' });
    server.latest.drop(1006);
    const later = connection.command({ type: 'send', client_msg_id: 'c2', text: 'world' });
    await retry();
    server.latest.welcome({ seq: 5, recovered: true });
    expect(server.latest.frames).toEqual([
      hello,
      { type: 'send', client_msg_id: 'c1', text: 'hello', id: '1' },
      { type: 'send', client_msg_id: 'c2', text: 'world', id: '2' },
    ]);
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    server.latest.deliver({ type: 'result', re: '2', ok: result });
    await expect(Promise.all([sent, later])).resolves.toHaveLength(2);
  });

  it('G2: without a result for 15 s are taken for lost with their socket, whatever else it answers, and go again on the next (P51)', async () => {
    const { server, clock, connection, retry } = await open();
    const sent = connection.command({ type: 'send', client_msg_id: 'c1', text: 'hello' });
    const command = server.latest.frames.at(-1);
    server.latest.deliver(frame(6, 6));
    await clock.advance(14_999);
    server.latest.deliver('pong');
    expect(connection.state.name).toBe('open');
    await clock.advance(1);
    expect(connection.state).toMatchObject({ name: 'waiting', reason: 'abnormal' });
    await retry();
    server.latest.welcome({ seq: 6, recovered: true });
    expect(server.latest.frames).toEqual([{ type: 'ack', seq: 6 }, command]);
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    await expect(sent).resolves.toEqual(result);
    server.latest.deliver('pong');
    await clock.advance(20_000);
    expect(server.sockets).toHaveLength(2);
  });

  it('G8: wait longer each time for a server that is slow, up to a minute, until there is a result (P51)', async () => {
    const { server, clock, connection, retry } = await open();
    const waited = async () => {
      const since = clock.now();
      while (connection.state.name === 'open') {
        server.latest.deliver('pong');
        await clock.advance(1_000);
      }
      await retry();
      server.latest.welcome({ seq: 5, recovered: true });
      return Math.floor((clock.now() - since) / 15_000) * 15;
    };
    void connection.command({ type: 'delete', message_id: 'm' });
    expect([await waited(), await waited(), await waited(), await waited()]).toEqual([15, 30, 60, 60]);
    server.latest.deliver({ type: 'result', re: '1', ok: result });
    void connection.command({ type: 'delete', message_id: 'n' });
    expect(await waited()).toBe(15);
  });

  it('G3: on one message go one after the other, so that none is repeated after the one that followed it (P51)', async () => {
    const { server, connection, retry } = await open();
    const [first, second] = [connection.command({ type: 'edit', message_id: 'm', text: 'a' }), connection.command({ type: 'edit', message_id: 'm', text: 'b' })];
    const other = connection.command({ type: 'react', message_id: 'n', emoji: 'x' });
    const ids = () => server.latest.frames.flatMap((sent) => ('id' in sent ? [sent.id] : []));
    expect(ids()).toEqual(['1', '3']);
    server.latest.drop(1006);
    await retry();
    server.latest.welcome({ seq: 5, recovered: true });
    expect(ids()).toEqual(['1', '3']);
    server.latest.deliver({ type: 'result', re: '1', problem: problemDocument({ code: 'forbidden' }) });
    expect(ids()).toEqual(['1', '3', '2']);
    for (const re of ['3', '2']) server.latest.deliver({ type: 'result', re, ok: result });
    await expect(first).rejects.toMatchObject({ code: 'forbidden' });
    await expect(Promise.all([second, other])).resolves.toHaveLength(2);
  });

  it('fail when the connection ends for good, before and after', async () => {
    const { server, connection } = await open();
    const unanswered = connection.command({ type: 'delete', message_id: 'm' });
    server.latest.drop(4003);
    await expect(unanswered).rejects.toEqual(new ClosedError('removed'));
    await expect(connection.command({ type: 'delete', message_id: 'm' })).rejects.toBeInstanceOf(ClosedError);
  });

  it('G8: are refused past 256 without a result', async () => {
    const { connection } = await connect();
    const first = Array.from({ length: 256 }, () => connection.command({ type: 'delete', message_id: 'm' }).catch(() => null));
    await expect(connection.command({ type: 'delete', message_id: 'm' })).rejects.toBeInstanceOf(QueueFullError);
    connection.stop();
    await Promise.all(first);
  });
});
