import { afterAll, beforeAll, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { logQueries } from '../dev/query-log.ts';
import { Connection } from '../client/connection.ts';
import { systemClock } from '../client/ports.ts';
import type { RoomWire } from '../client/wires.ts';
import { connect } from '../db/client.ts';
import { startWorld, type World, type WorldUser } from './support/world.ts';

const SOCKETS = 100;
const HANDLES = ['alice', 'bob', 'carol', 'dave'];

let world: World;
beforeAll(async () => {
  world = await startWorld('herd');
});
afterAll(() => world?.close());

/** One device, by the client's own connection, with tickets and questions as browsers have them. */
class Device {
  opened = 0;
  resets = 0;
  /** A page of history each, by clients that could not connect while workerd was starting. */
  diagnoses = 0;
  readonly seqs: number[] = [];
  readonly connection: Connection<RoomWire>;

  constructor({ api }: WorldUser, channelId: string) {
    const options = {
      url: api.socketUrl(channelId),
      since: null,
      ticket: async () => (await api.socketTicket()).ticket,
      diagnose: () => {
        this.diagnoses += 1;
        return api.history(channelId, { limit: 1 });
      },
      openSocket: (url: string, protocols: string[]) => new WebSocket(url, protocols, { perMessageDeflate: false }),
      clock: systemClock,
      random: Math.random,
    };
    this.connection = new Connection<RoomWire>(options, {
      stateChanged: ({ name }) => (this.opened += name === 'open' ? 1 : 0),
      events: (events) => this.seqs.push(...events.map(({ seq }) => seq)),
      reset: () => (this.resets += 1),
      state: () => {},
    });
    this.connection.start();
  }
}

it(`${SOCKETS} sockets resume after workerd was killed with all it knew: rooms, nodes and inboxes ask Postgres nothing, the Worker at most one thing (G4, P9, P50)`, async () => {
  const users = await Promise.all(HANDLES.map((handle) => world.user(handle)));
  const channelId = await world.channel('herd', users);
  const devices = users.flatMap((user) => Array.from({ length: SOCKETS / users.length }, () => new Device(user, channelId)));
  await expect.poll(() => devices.filter(({ opened }) => opened === 1).length, { timeout: 60_000 }).toBe(SOCKETS);
  const before = await users[0]?.api.send(channelId, { client_msg_id: 'before', text: 'before' });
  await expect.poll(() => devices.filter(({ seqs }) => seqs.at(-1) === before?.seq).length, { timeout: 30_000 }).toBe(SOCKETS);
  const { sql, close } = connect(world.postgresUrl, { max: 1, applicationName: 'colink-tests' });
  const resets = devices.map((device) => device.resets);
  const stopLog = await logQueries(sql);
  process.kill(world.pids()['worker'] ?? 0, 'SIGKILL');
  await expect.poll(() => devices.filter(({ opened, connection }) => opened >= 2 && connection.state.name === 'open').length, { timeout: 90_000 }).toBe(SOCKETS);
  const queries = await stopLog();
  await close();
  const by = (...applications: string[]) => queries.filter(({ application, statement }) => applications.includes(application) && !statement.includes('FROM drain_'));
  expect(by('colink-room', 'colink-inbox', 'colink-node')).toEqual([]);
  // The caller's credential, and the page: the more, the longer workerd takes to start.
  const diagnosed = 2 * devices.reduce((sum, { diagnoses }) => sum + diagnoses, 0);
  expect(by('colink-worker').length).toBeLessThanOrEqual(SOCKETS / 100 + diagnosed);
  expect(devices.map((device) => device.resets)).toEqual(resets);
  const after = await users[0]?.api.send(channelId, { client_msg_id: 'after', text: 'after' });
  await expect.poll(() => devices.filter(({ seqs }) => seqs.at(-1) === after?.seq).length, { timeout: 30_000 }).toBe(SOCKETS);
  for (const { seqs } of devices) expect(seqs).toEqual(seqs.map((_, index) => (seqs[0] ?? 0) + index));
  for (const { connection } of devices) connection.stop();
});
