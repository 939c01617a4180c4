import sharp from 'sharp';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../client/testing/random.ts';
import { claimScan, countScans, requestRescans } from '../../db/queries/file-scans.ts';
import { EICAR, EICAR_SIGNATURE } from '../../dev/clamd.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { hasClamd, ScanBed, SOON } from '../../tests/support/scan-bed.ts';
import { seedOfRun } from '../../tests/support/seed.ts';

describe.skipIf(!hasClamd)('files are scanned by a real clamd', { timeout: 90_000 }, () => {
  let bed: ScanBed;
  beforeEach(async () => {
    bed = await ScanBed.start();
  });
  afterEach(() => bed.close());

  it('gives each file its verdict, once, with its event; the name of what was found is kept where not everybody looks', async () => {
    bed.startGroup();
    bed.startScanner();
    const [bad, good] = [await bed.upload(EICAR), await bed.upload('hello')];
    await bed.untilStatus(bad, 'infected');
    await bed.untilStatus(good, 'clean');
    await bed.expectOneVerdict(bad, 'infected');
    await bed.expectOneVerdict(good, 'clean');
    expect([(await bed.scan(bad))?.signature, (await bed.scan(good))?.signature]).toEqual([EICAR_SIGNATURE, null]);
    expect(JSON.stringify(await bed.events(bad))).not.toContain('EICAR');
  });

  it('gives a clean picture its thumbnails; an infected one, a broken one and what is no picture none', async () => {
    bed.startGroup();
    bed.startScanner();
    const image = await sharp({ create: { width: 600, height: 300, channels: 3, background: '#3060c0' } }).jpeg().toBuffer();
    const [picture, broken, text, infected] = [
      await bed.upload(image, 'image/jpeg'), await bed.upload(image.subarray(0, image.length - 200), 'image/jpeg'), await bed.upload('hello', 'text/plain'), await bed.upload(EICAR, 'image/png'),
    ];
    for (const [id, status] of [[picture, 'clean'], [broken, 'clean'], [text, 'clean'], [infected, 'infected']] as const) {
      await bed.untilStatus(id, status);
      await bed.expectOneVerdict(id, status);
    }
    expect((await bed.file(picture))?.thumbnails).toEqual([{ size: 160, width: 160, height: 80 }, { size: 480, width: 480, height: 240 }, { size: 1_280, width: 600, height: 300 }]);
    expect([...bed.server.thumbnails.keys()].toSorted()).toEqual([`${picture}/1280`, `${picture}/160`, `${picture}/480`]);
    for (const { bytes } of bed.server.thumbnails.values()) expect((await sharp(bytes).metadata()).format).toBe('webp');
    expect((await bed.file(broken))?.thumbnails).toEqual([]);
  });

  it('G2 G7: what is uploaded is scanned once, whether its event comes once or again, or the whole topic is replayed', async () => {
    const group = bed.startGroup();
    bed.startScanner();
    const ids = [await bed.upload(EICAR), await bed.upload('hello'), await bed.upload('world')];
    for (const [n, id] of ids.entries()) await bed.untilStatus(id, n === 0 ? 'infected' : 'clean');
    await bed.replay(group);
    const last = await bed.upload('after the replay');
    await bed.untilStatus(last, 'clean');
    for (const [n, id] of ids.entries()) await bed.expectOneVerdict(id, n === 0 ? 'infected' : 'clean');
    expect(ids.map((id) => bed.server.reads.get(id))).toEqual([1, 1, 1]);
  });

  it('does not scan what was deleted, before or meanwhile', async () => {
    const { sql } = bed;
    bed.startGroup();
    const [before, meanwhile, kept] = [await bed.upload('deleted before'), await bed.upload('deleted meanwhile'), await bed.upload('kept')];
    const remove = (id: string) => sql`UPDATE files SET deleted_at = now(), version = version + 1 WHERE id = ${id}`;
    await remove(before);
    bed.server.before = async ({ fileId }) => {
      if (fileId === meanwhile) await remove(meanwhile);
    };
    await bed.untilWaiting(2);
    bed.startScanner();
    await bed.untilStatus(kept, 'clean');
    await eventually(() => bed.outcomes.length === 2, SOON);
    expect([await bed.file(before), await bed.file(meanwhile)]).toMatchObject([{ status: 'pending_scan', version: 2 }, { status: 'pending_scan', version: 2 }]);
    expect([await bed.events(before), await bed.events(meanwhile)]).toEqual([[], []]);
    expect(bed.server.reads.has(before)).toBe(false);
    expect((await countScans(sql)).waiting).toBe(0);
  });

  it('scans again what is asked for again: with new signatures a clean file becomes infected; new files go before', async () => {
    const { sql } = bed;
    await bed.stopClamd();
    bed.startGroup();
    const image = await sharp({ create: { width: 200, height: 100, channels: 3, background: '#3060c0' } }).png().toBuffer();
    const [late, picture] = [await bed.upload(EICAR), await bed.upload(image, 'image/png')];
    // Signatures that do not know it yet.
    await bed.startClamd();
    await bed.untilWaiting(2);
    await sql`UPDATE files SET status = 'clean', version = 2 WHERE id = ${late}`;
    await sql`UPDATE file_scans SET state = 'clean' WHERE file_id = ${late}`;
    bed.startScanner(1);
    await bed.untilStatus(picture, 'clean');
    const thumbnails = (await bed.file(picture))?.thumbnails;
    expect(thumbnails).toHaveLength(2);
    const events = (await bed.events(picture)).length;
    expect(await requestRescans(sql, { since: new Date(Date.now() + 60_000).toISOString(), fileId: null, onlyUnscanned: false })).toBe(0);
    expect(await requestRescans(sql, { since: null, fileId: null, onlyUnscanned: false })).toBe(2);
    await bed.untilStatus(late, 'infected');
    await bed.untilWaiting(0);
    expect((await bed.scan(late))?.signature).toBe(EICAR_SIGNATURE);
    expect(await bed.events(late)).toMatchObject([{ type: 'file.updated', version: 3, file: { status: 'infected' } }]);
    // Nothing has changed for it, so nothing is told; its thumbnails were not made again.
    expect([(await bed.file(picture))?.thumbnails, (await bed.events(picture)).length]).toEqual([thumbnails, events]);
    expect([...bed.server.thumbnails.values()].map(({ puts }) => puts)).toEqual([1, 1]);
  });

  it('new files go before those that are scanned again', async () => {
    const { sql } = bed;
    bed.startGroup();
    const old = [await bed.upload('a'), await bed.upload('b')];
    await bed.untilWaiting(2);
    await sql`UPDATE files SET status = 'clean' WHERE id IN ${sql(old)}`;
    await requestRescans(sql, { since: null, fileId: null, onlyUnscanned: false });
    const fresh = await bed.upload('c');
    await bed.untilWaiting(3);
    const order = [];
    for (let n = 0; n < 3; n++) order.push((await claimScan(sql, crypto.randomUUID(), 60_000))?.fileId);
    expect(order[0]).toBe(fresh);
    expect(order.slice(1).toSorted()).toEqual(old.toSorted());
    expect(await claimScan(sql, crypto.randomUUID(), 60_000)).toBeNull();
  });

  it('a lease that was lost gives no verdict: who was too late changes nothing', async () => {
    const { sql } = bed;
    bed.startGroup();
    const id = await bed.upload(EICAR);
    let isFirst = true;
    bed.server.before = async () => {
      if (!isFirst) return;
      isFirst = false;
      // Another has taken the file up, because this one was thought dead.
      await sql`UPDATE file_scans SET lease = ${crypto.randomUUID()}, due_at = now() + interval '1 second' WHERE file_id = ${id}`;
    };
    bed.startScanner(1);
    await bed.untilStatus(id, 'infected');
    expect(bed.outcomes).toEqual(['stale', 'infected']);
    await bed.expectOneVerdict(id, 'infected');
  });

  const seed = seedOfRun();
  it(`every file ends with its one verdict, whatever is away, killed or repeated meanwhile (seed ${seed}) (G1, G2, G7)`, async () => {
    const random = seededRandom(seed);
    bed.server.before = async () => (random() < 0.15 ? 503 : undefined);
    let group = bed.startGroup();
    let scanner = bed.startScanner(2);
    const files = new Map<string, 'clean' | 'infected'>();
    for (let step = 0; step < 40; step++) {
      const isBad = random() < 0.3;
      files.set(await bed.upload(isBad ? EICAR : `file ${step}`), isBad ? 'infected' : 'clean');
      if (random() < 0.1) {
        await scanner.stop();
        scanner = bed.startScanner(2);
      }
      if (random() < 0.1) group = await bed.replay(group);
      if (random() < 0.08) {
        await bed.stopClamd();
        await new Promise((resolve) => {
          setTimeout(resolve, random() * 300);
        });
        await bed.startClamd();
      }
    }
    bed.server.before = async () => {};
    for (const [id, status] of files) await bed.untilStatus(id, status);
    for (const [id, status] of files) await bed.expectOneVerdict(id, status);
    expect(await countScans(bed.sql)).toMatchObject({ waiting: 0, refused: 0 });
  });
});
