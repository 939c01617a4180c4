import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EICAR } from '../../dev/clamd.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { type FleetProcess, metricsOnceTheySay, startFleetProcess } from '../../tests/support/fleet.ts';
import { Link } from '../../tests/support/link.ts';
import { hasClamd, ScanBed, SOON } from '../../tests/support/scan-bed.ts';
import { soon } from '../../tests/support/soon.ts';

/** The lease of a file that died with its process, and some more. */
const LEASE_MS = 60_000;

describe.skipIf(!hasClamd)('a process of the fleet that scans', { timeout: 150_000 }, () => {
  let bed: ScanBed;
  let link: Link;
  const fleets = new Set<FleetProcess>();

  beforeEach(async () => {
    bed = await ScanBed.start();
    link = await Link.start({ port: bed.clamdPort, random: Math.random });
  });
  afterEach(async () => {
    await Promise.all([...fleets].map((fleet) => fleet.end('SIGKILL')));
    fleets.clear();
    await link.close();
    await bed.close();
  });

  async function start(): Promise<FleetProcess> {
    const { url, token } = bed.server.address;
    const fleet = await startFleetProcess({ DATABASE_URL: bed.database.url, WORKER_URL: url, FLEET_TOKEN: token, CLAMD_ADDRESS: `127.0.0.1:${link.port}` });
    fleets.add(fleet);
    return fleet;
  }

  it('is killed at every step, each held by one file: another scans them again, and each has one verdict and one event (G1, G2)', async () => {
    const { sql } = bed;
    const image = await sharp({ create: { width: 300, height: 200, channels: 3, background: '#3060c0' } }).png().toBuffer();
    const [content, stream, thumbnail, settling] = [await bed.upload('held before its content'), await bed.upload(`${EICAR} held on its way`), await bed.upload(image, 'image/png'), await bed.upload('held at its verdict')];
    const { promise: isOver, resolve: release } = Promise.withResolvers<void>();
    const held = new Set<string>();
    bed.server.before = async ({ method, fileId }) => {
      const isHeld = fileId === content || (fileId === thumbnail && method === 'PUT');
      if (!isHeld) return;
      held.add(fileId);
      await isOver;
    };
    link.judge = async ({ bytes }) => {
      if (!bytes.includes('held on its way')) return 'pass';
      held.add(stream);
      await isOver;
      return 'reset';
    };
    const locked = sql.begin(async (tx) => {
      // Not its key, by which its scan refers to it.
      await tx`SELECT FROM files WHERE id = ${settling} FOR NO KEY UPDATE`;
      await isOver;
    });
    locked.catch(() => {});

    const first = await start();
    await eventually(async () => {
      const [row] = await sql<[{ n: number }]>`SELECT count(*)::integer AS n FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'colink-fleet' AND datname = current_database()`;
      return held.size === 3 && row.n > 0;
    }, SOON, () => [...held]);
    expect(await first.end('SIGKILL')).toBe('SIGKILL');
    release();
    await locked;
    bed.server.before = async () => {};
    link.clear();
    for (const id of [content, stream, thumbnail, settling]) expect(await bed.file(id)).toMatchObject({ status: 'pending_scan', version: 1 });

    const second = await start();
    const verdicts = [[content, 'clean'], [stream, 'infected'], [thumbnail, 'clean'], [settling, 'clean']] as const;
    for (const [id, status] of verdicts) await eventually(async () => (await bed.file(id))?.status === status, LEASE_MS);
    for (const [id, status] of verdicts) await bed.expectOneVerdict(id, status);
    expect((await bed.file(thumbnail))?.thumbnails).toHaveLength(2);

    await metricsOnceTheySay(
      second.url,
      'colink_file_scans_total{outcome="clean"} 3',
      'colink_file_scans_total{outcome="infected"} 1',
      'colink_file_scan_seconds_count 4',
      'colink_clamd_breaker_state{state="closed"} 1',
      'colink_file_scans_waiting 0',
      'colink_file_scan_oldest_waiting_seconds 0',
      'colink_dependency_up{dependency="clamd"} 1',
    );
    expect(second.lines.join('\n')).not.toContain('a file"');
  });

  it('says that clamd is away, is ready all the same, opens its breaker, and gives back what it holds when it ends', async () => {
    const fleet = await start();
    await bed.stopClamd();
    const ids = [await bed.upload('one'), await bed.upload('two')];
    await eventually(() => fleet.lines.some((line) => line.includes('the breaker before clamd')), 40_000, () => fleet.lines.slice(-3));
    await soon(async () => {
      const ready = await fetch(`${fleet.url}/ready`);
      expect({ status: ready.status, body: await ready.json() }).toEqual({ status: 200, body: { status: 'degraded', postgres: 'ok', worker: 'unavailable', clamd: 'unavailable' } });
    });
    await metricsOnceTheySay(
      fleet.url,
      'colink_clamd_breaker_state{state="open"} 1',
      'colink_file_scans_waiting 2',
      /colink_file_scan_oldest_waiting_seconds [1-9]/,
    );
    await bed.startClamd();
    const begun = Date.now();
    for (const id of ids) await eventually(async () => (await bed.file(id))?.status === 'clean', 60_000);
    // By the probe, once it has rested for its 30 s.
    expect(Date.now() - begun).toBeLessThan(45_000);
    expect(await fleet.end('SIGTERM')).toBe(0);
  });
});
