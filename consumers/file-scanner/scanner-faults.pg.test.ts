import { setTimeout as sleep } from 'node:timers/promises';
import { crc32, deflateRawSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countPendingDeadLetters } from '../../db/queries/dead-letters.ts';
import { countScans, requestRescans } from '../../db/queries/file-scans.ts';
import { countParkedKeys } from '../../db/queries/parking.ts';
import { EICAR } from '../../dev/clamd.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { hasClamd, MIB, ScanBed, SOON } from '../../tests/support/scan-bed.ts';

describe.skipIf(!hasClamd)('a real clamd and its faults', { timeout: 90_000 }, () => {
  let bed: ScanBed;
  beforeEach(async () => {
    bed = await ScanBed.start();
  });
  afterEach(() => bed.close());

  describe('while clamd is away', () => {
    it('files wait and nothing is a dead letter: the breaker opens, rests, and all are scanned when it is back (G8)', async () => {
      const { sql } = bed;
      await bed.stopClamd();
      bed.startGroup();
      bed.startScanner();
      const ids = await Promise.all(Array.from({ length: 12 }, (_, n) => bed.upload(n === 5 ? EICAR : `file ${n}`)));
      await eventually(() => bed.states.filter((state) => state === 'open').length >= 3, SOON);
      // Once it is open, one ping asks at a time, and files are left alone.
      expect(bed.states.slice(0, 5)).toEqual(['open', 'half_open', 'open', 'half_open', 'open']);
      expect(bed.outcomes.length).toBeLessThan(12);
      expect(new Set(bed.outcomes)).toEqual(new Set(['given_back']));
      for (const id of ids) expect(await bed.file(id)).toMatchObject({ status: 'pending_scan', version: 1 });
      expect([await countParkedKeys(sql), await countPendingDeadLetters(sql)]).toEqual([[], []]);
      expect(await countScans(sql)).toMatchObject({ waiting: 12, refused: 0 });
      await bed.startClamd();
      for (const [n, id] of ids.entries()) await bed.untilStatus(id, n === 5 ? 'infected' : 'clean');
      for (const [n, id] of ids.entries()) await bed.expectOneVerdict(id, n === 5 ? 'infected' : 'clean');
      expect(bed.states.slice(-2)).toEqual(['half_open', 'closed']);
    });

    it('or is killed in the middle of a stream: the file is scanned again', async () => {
      bed.startGroup();
      const id = await bed.upload(Buffer.concat([Buffer.from(EICAR), Buffer.alloc(3 * MIB)]));
      let kills = 0;
      // Connections stand before it is known to have started; one that is not known cannot be killed.
      let started: Promise<unknown> = Promise.resolve();
      bed.server.before = async () => {
        kills += 1;
        if (kills > 3) return;
        await started;
        // The content comes when the connection to clamd stands, and breaks it.
        await bed.killClamd();
        started = sleep(100).then(() => bed.startClamd());
      };
      bed.startScanner(1);
      await bed.untilStatus(id, 'infected');
      await bed.expectOneVerdict(id, 'infected');
      expect(kills).toBe(4);
      expect(bed.outcomes.filter((outcome) => outcome === 'retried')).toHaveLength(3);
    });
  });

  describe('what cannot be scanned', () => {
    it('is tried three times more, refused, and scanned when somebody asks again; its file is never served meanwhile', async () => {
      const { sql } = bed;
      bed.startGroup();
      bed.startScanner();
      const large = await bed.upload(Buffer.alloc(8 * MIB, 0x41));
      await bed.untilState(large, 'refused');
      expect(await bed.file(large)).toMatchObject({ status: 'pending_scan', version: 1 });
      expect(await bed.scan(large)).toMatchObject({ lease: null });
      expect(await countScans(sql)).toMatchObject({ waiting: 0, refused: 1 });
      expect(await countPendingDeadLetters(sql)).toEqual([]);
      const tries = bed.outcomes.length;
      expect(bed.outcomes).toEqual([...Array.from({ length: tries - 1 }, () => 'retried'), 'refused']);
      expect(tries).toBeGreaterThanOrEqual(4);
      await bed.stopClamd();
      await bed.startClamd(16 * MIB);
      expect(await requestRescans(sql, { since: null, fileId: null, onlyUnscanned: true })).toBe(1);
      await bed.untilStatus(large, 'clean');
    });

    it('is a bomb, which clamd does not look through to its end', async () => {
      bed.startGroup();
      bed.startScanner();
      // 48 MiB in 50 KB: more than it looks through of one file.
      const bomb = await bed.upload(zipOf(Array.from({ length: 12 }, () => Buffer.alloc(3 * MIB, 0x41))), 'application/zip');
      await bed.untilState(bomb, 'refused');
      expect(await bed.file(bomb)).toMatchObject({ status: 'pending_scan' });
      expect((await bed.scan(bomb))?.failure).toContain('Heuristics.Limits.Exceeded');
    });

    it('is content that is not the file’s: a verdict on other bytes is none', async () => {
      bed.startGroup();
      const [longer, other, missing, good] = [await bed.upload('short'), await bed.upload('hello'), await bed.upload('gone'), await bed.upload('good')];
      bed.server.contents.set(longer, Buffer.from('short, and more'));
      bed.server.contents.set(other, Buffer.from('HELLO'));
      bed.server.contents.delete(missing);
      bed.startScanner();
      for (const id of [longer, other, missing]) await bed.untilState(id, 'refused');
      await bed.untilStatus(good, 'clean');
      expect((await bed.scan(other))?.failure).toContain('not what it was');
      expect(bed.server.reads.get(other)).toBe(4);
      expect(bed.server.reads.get(missing)).toBe(11);
      for (const id of [longer, other, missing]) expect(await bed.file(id)).toMatchObject({ status: 'pending_scan', version: 1 });
      expect(bed.states).toEqual([]);
    });

    it('says nothing against clamd or other files: ten of them, and the breaker stays closed', async () => {
      bed.startGroup();
      bed.startScanner();
      const bad = await Promise.all(Array.from({ length: 10 }, () => bed.upload(Buffer.alloc(6 * MIB, 0x41))));
      const good = await Promise.all(Array.from({ length: 10 }, (_, n) => bed.upload(`good ${n}`)));
      for (const id of good) await bed.untilStatus(id, 'clean');
      for (const id of bad) await bed.untilState(id, 'refused');
      expect(bed.states).toEqual([]);
    });
  });

  it('waits for the Worker where that is away, at no cost to the file', async () => {
    bed.startGroup();
    const id = await bed.upload('hello');
    let refusals = 0;
    bed.server.before = async () => (refusals++ < 4 ? 503 : undefined);
    bed.startScanner(1);
    await bed.untilStatus(id, 'clean');
    expect(new Set(bed.outcomes)).toEqual(new Set(['given_back', 'clean']));
    await bed.expectOneVerdict(id, 'clean');
    expect(bed.states).toEqual([]);
  });

  it('G8: fifty large files at once, by two scanners, in bounded memory, each scanned once', async () => {
    bed.startGroup();
    const bad = new Set([7, 30]);
    const ids = await Promise.all(Array.from({ length: 50 }, (_, n) => {
      const content = Buffer.alloc(3 * MIB, n + 1);
      if (bad.has(n)) content.write(EICAR);
      return bed.upload(content);
    }));
    const before = process.memoryUsage().arrayBuffers;
    let highest = 0;
    const watch = setInterval(() => (highest = Math.max(highest, process.memoryUsage().arrayBuffers)), 10);
    bed.startScanner(4);
    bed.startScanner(4);
    for (const [n, id] of ids.entries()) await bed.untilStatus(id, bad.has(n) ? 'infected' : 'clean');
    clearInterval(watch);
    for (const [n, id] of ids.entries()) await bed.expectOneVerdict(id, bad.has(n) ? 'infected' : 'clean');
    expect(ids.map((id) => bed.server.reads.get(id))).toEqual(ids.map(() => 1));
    expect(bed.server.mostOpen).toBeLessThanOrEqual(8);
    // Whole, they are 150 MB.
    expect(highest - before).toBeLessThan(100 * MIB);
  });

  it('gives back what it scans when it ends, for another to take up at once', async () => {
    bed.startGroup();
    const id = await bed.upload('hello');
    const { promise, resolve } = Promise.withResolvers<void>();
    bed.server.before = async () => promise;
    const first = bed.startScanner(1);
    await eventually(async () => (await bed.scan(id))?.lease != null, SOON);
    const begun = performance.now();
    await first.drain();
    expect(performance.now() - begun).toBeLessThan(20_000);
    expect(await bed.scan(id)).toMatchObject({ state: 'waiting', lease: null, attempts: 0 });
    bed.server.before = async () => {};
    resolve();
    bed.startScanner(1);
    await bed.untilStatus(id, 'clean');
    await bed.expectOneVerdict(id, 'clean');
  });
});

/** A ZIP archive, deflated: little of much. */
function zipOf(contents: readonly Buffer[]): Buffer {
  const [locals, centrals]: [Buffer[], Buffer[]] = [[], []];
  let offset = 0;
  for (const [n, content] of contents.entries()) {
    const [packed, name, common, place] = [deflateRawSync(content, { level: 9 }), Buffer.from(`part-${n}`), Buffer.alloc(26), Buffer.alloc(14)];
    common.writeUInt16LE(20, 0);
    common.writeUInt16LE(8, 4);
    common.writeUInt32LE(crc32(content), 10);
    common.writeUInt32LE(packed.length, 14);
    common.writeUInt32LE(content.length, 18);
    common.writeUInt16LE(name.length, 22);
    place.writeUInt32LE(offset, 10);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), common, name, packed]);
    locals.push(local);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02'), Buffer.from([20, 0]), common, place, name]));
    offset += local.length;
  }
  const [central, end] = [Buffer.concat(centrals), Buffer.alloc(18)];
  end.writeUInt16LE(contents.length, 4);
  end.writeUInt16LE(contents.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, central, Buffer.from('PK\x05\x06'), end]);
}
