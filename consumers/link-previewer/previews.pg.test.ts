import { uuidv7 } from 'uuidv7';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { purgePages } from '../../db/queries/link-previews.ts';
import { PreviewBed } from '../../tests/support/preview-bed.ts';
import { insertChannel, insertUser, drain } from '../../tests/support/webhook-bed.ts';
import { EventWriter } from '../../tests/support/conversation.ts';
import { eventually } from '../../tests/support/event-log.ts';
import { hashOf } from './links.ts';

let bed: PreviewBed;
beforeEach(async () => {
  bed = await PreviewBed.start();
});
afterEach(() => bed.close());

const preview = (address: string, title = address) => ({ url: bed.web.url(address), title, description: null, site_name: null });

/** Has the group read its topic from the start again, as if it had read nothing. */
async function replay(group: ReturnType<PreviewBed['startGroup']>): Promise<ReturnType<PreviewBed['startGroup']>> {
  await group.service.stop();
  await bed.sql`WITH offsets AS (DELETE FROM consumer_offsets) DELETE FROM consumer_keys`;
  return bed.startGroup();
}

describe('a link', () => {
  it('is looked up once, be it in many messages, channels and replays, and every room is told (G2, G7)', async () => {
    const other = await insertChannel(bed.sql, [bed.author]);
    const link = bed.web.url('a.example/page');
    const [one, two, three] = [bed.write.send(`see ${link}`), bed.write.send(`${link}#top and ${link}`), new EventWriter(bed.author).send(link)];
    let group = bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    await bed.drain(one, two);
    await drain(bed.sql, other, [three]);
    await bed.quiet(group);
    await bed.settled();
    const expected = [one, two, three].map(({ message_id }) => ({ message_id, revision: 1, previews: [preview('a.example/page')] }));
    expect(bed.told.toSorted((a, b) => (a.message_id < b.message_id ? -1 : 1))).toEqual(expected.toSorted((a, b) => (a.message_id < b.message_id ? -1 : 1)));
    group = await replay(group);
    await bed.quiet(group);
    await bed.settled();
    expect(bed.web.asked).toEqual(['a.example/page']);
    expect(bed.told).toHaveLength(6);
    expect(await bed.pages()).toEqual([{ url: null, site: 'a.example', state: 'found', attempts: 0, failure: null, lease: null }]);
    expect(bed.errors).toEqual([]);
  });

  it('of an edit replaces those of before; of a deleted message nobody is told', async () => {
    const links = ['a.example/old', 'b.example/new', 'c.example/gone'] as const;
    const [edited, deleted, cleared] = [bed.write.send(bed.web.url(links[0])), bed.write.send(bed.web.url(links[2])), bed.write.send(bed.web.url(links[0]))];
    await bed.drain(edited, deleted, cleared, bed.write.edit(edited, bed.web.url(links[1])), bed.write.delete(deleted), bed.write.edit(cleared, 'nothing'));
    const group = bed.startGroup();
    await bed.quiet(group);
    expect(await bed.jobs()).toEqual([{ message_id: edited.message_id, revision: 2, urls: [bed.web.url(links[1])] }]);
    bed.startFetcher();
    bed.startTeller();
    await bed.settled();
    expect(bed.told).toEqual([{ message_id: edited.message_id, revision: 2, previews: [preview(links[1])] }]);
    expect(bed.web.asked).not.toContain(links[2]);
  });

  it('of an edit that comes while the message waits is looked up in place of the first; one that comes late changes nothing', async () => {
    const group = bed.startGroup();
    const message = bed.write.send(bed.web.url('a.example/'));
    await bed.drain(message);
    await bed.quiet(group);
    await bed.drain(bed.write.edit(message, bed.web.url('b.example/')));
    await bed.quiet(group);
    const edited = [{ message_id: message.message_id, revision: 2, urls: [bed.web.url('b.example/')] }];
    expect(await bed.jobs()).toEqual(edited);
    await bed.drain(bed.write.edit(message, bed.web.url('c.example/'), 1));
    await bed.quiet(group);
    expect(await bed.jobs()).toEqual(edited);
  });

  it('is nothing in what was imported, or written before there was the group', async () => {
    await bed.sql`UPDATE consumer_groups SET started_at = now()`;
    const link = bed.web.url('a.example/');
    const young = { at: new Date().toISOString() };
    await bed.drain(bed.write.send(link), { ...bed.write.send(link, { source: 'irc', author: 'x', sent_at: '2004' }), ...young });
    await bed.quiet(bed.startGroup());
    expect([await bed.jobs(), await bed.pages()]).toEqual([[], []]);
  });

  it('is nothing where that is switched off; the group goes on', async () => {
    await bed.drain(bed.write.send(bed.web.url('a.example/')));
    await bed.quiet(bed.startGroup({ rules: null }));
    expect([await bed.jobs(), await bed.pages()]).toEqual([[], []]);
  });

  it('is asked for again when a day has passed', async () => {
    const group = bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    const ask = async () => {
      await bed.drain(bed.write.send(bed.web.url('a.example/')));
      await bed.quiet(group);
      await bed.settled();
    };
    await ask();
    const [kept] = await bed.sql<[{ hours: number }]>`SELECT extract(epoch FROM p.expires_at - now()) / 3600 AS hours FROM link_pages p`;
    expect(Math.round(kept.hours)).toBe(24);
    await bed.sql`UPDATE link_pages SET expires_at = now()`;
    bed.web.pages.set('a.example/', { status: 200, html: '<title>Later</title>' });
    await ask();
    expect(bed.told.map(({ previews }) => previews[0]?.title)).toEqual(['a.example/', 'Later']);
    expect(bed.web.asked).toHaveLength(2);
  });
});

describe('a web that is not as it should be', () => {
  it('cut off: the group goes on, nothing is lost, nothing is parked or a dead letter; all is told when it is back', async () => {
    bed.resolve = () => Promise.reject(Object.assign(new Error('queryA ETIMEOUT'), { code: 'ETIMEOUT', syscall: 'queryA' }));
    const group = bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    const messages = Array.from({ length: 20 }, (_, n) => bed.write.send(bed.web.url(`host${n}.example/`)));
    await bed.drain(...messages);
    await bed.quiet(group);
    await eventually(() => bed.looks.length >= 20);
    const waiting = await bed.pages();
    expect(waiting.map(({ state, attempts }) => [state, attempts])).toEqual(messages.map(() => ['waiting', 0]));
    expect((await bed.jobs()).length).toBe(20);
    expect(await bed.sql`SELECT FROM dead_letters`).toHaveLength(0);
    expect(await bed.sql`SELECT FROM parked_keys`).toHaveLength(0);
    bed.resolve = async () => ['127.0.0.1'];
    await bed.hurry();
    await bed.settled();
    expect(new Set(bed.told.map(({ message_id }) => message_id))).toEqual(new Set(messages.map(({ message_id }) => message_id)));
  });

  it('one of two pages fails: the message is told of the other at once, and of both when it is back', async () => {
    bed.web.pages.set('a.example/', { status: 503, html: '' });
    const message = bed.write.send(`${bed.web.url('a.example/')} ${bed.web.url('b.example/')}`);
    await bed.drain(message);
    bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    await eventually(() => bed.told.length === 1);
    expect(bed.told[0]?.previews).toEqual([preview('b.example/')]);
    bed.web.pages.delete('a.example/');
    await bed.hurry();
    await bed.settled();
    expect(bed.told.map(({ previews }) => previews.map(({ title }) => title))).toEqual([['b.example/'], ['a.example/', 'b.example/']]);
    expect(bed.web.asked.filter((address) => address === 'b.example/')).toHaveLength(1);
  });

  it('a page that never answers is given up after five tries, and holds up no other', async () => {
    bed.web.pages.set('slow.example/', null);
    await bed.drain(bed.write.send(bed.web.url('slow.example/')), bed.write.send(bed.web.url('quick.example/')));
    bed.startGroup();
    bed.startFetcher({ atOnce: 1, timeoutMs: 1_000 });
    bed.startTeller();
    await eventually(() => bed.told.length === 1);
    for (let tries = 1; tries <= 5; tries += 1) {
      await eventually(() => bed.looks.filter(({ kind }) => kind === 'failed').length === tries);
      await bed.hurry();
    }
    await bed.settled();
    expect(bed.web.asked.filter((address) => address === 'slow.example/')).toHaveLength(5);
    expect((await bed.pages()).map(({ site, state, failure }) => [site, state, failure]).toSorted()).toEqual([['quick.example', 'found', null], ['slow.example', 'none', 'timeout']]);
  });

  it('names that lead inside are not asked, and nothing says what is there', async () => {
    bed.resolve = async (name) => (name === 'inside.example' ? ['10.0.0.1'] : ['127.0.0.1']);
    await bed.drain(bed.write.send(bed.web.url('inside.example/')));
    bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    await eventually(() => bed.looks.length === 1);
    await bed.hurry();
    await bed.settled();
    expect([bed.looks, bed.web.asked, bed.told]).toEqual([[{ kind: 'none', reason: 'forbidden_address' }], [], []]);
  });
});

describe('a site', () => {
  it('is asked for one page after another by all processes, however many names it has, and left alone in between (G8)', async () => {
    const [gapMs, count] = [150, 6];
    const starts: number[] = [];
    let [open, most] = [0, 0];
    bed.resolve = async () => {
      starts.push(performance.now());
      open += 1;
      most = Math.max(most, open);
      await new Promise((resolve) => void setTimeout(resolve, 30));
      open -= 1;
      return ['127.0.0.1'];
    };
    await bed.drain(...Array.from({ length: count }, (_, n) => bed.write.send(bed.web.url(`n${n}.victim.example/`))));
    await bed.quiet(bed.startGroup());
    for (let processes = 0; processes < 3; processes += 1) bed.startFetcher({ atOnce: 2, gapMs });
    bed.startTeller();
    await bed.settled();
    expect([most, bed.web.asked.length]).toEqual([1, count]);
    const gaps = starts.slice(1).map((start, n) => start - (starts[n] ?? 0));
    expect(Math.min(...gaps)).toBeGreaterThan(gapMs);
  });

  it('has so many pages wait for it, an author so many messages, and all so many pages; the rest has no previews (G8)', async () => {
    const other = await insertUser(bed.sql);
    await bed.sql`INSERT INTO members (channel_id, user_id, version) VALUES (${bed.channel}, ${other}, 9)`;
    const [busy, few] = [Array.from({ length: 12 }, (_, n) => bed.write.send(bed.web.url(`one.example/${n}`))), Array.from({ length: 2 }, (_, n) => bed.write.send(bed.web.url(`host${n}.example/`)))];
    await bed.drain(...busy, ...few.map((event) => ({ ...event, actor_id: other })));
    await bed.quiet(bed.startGroup({ bounds: { perAuthor: 9, perSite: 4, all: 5 } }));
    expect((await bed.pages()).map(({ site }) => site).toSorted()).toEqual(['host0.example', 'one.example', 'one.example', 'one.example', 'one.example']);
    const jobs = await bed.sql<{ author_id: string; jobs: number }[]>`SELECT l.author_id::text, count(*)::integer AS jobs FROM link_messages l GROUP BY 1`;
    expect(new Map(jobs.map(({ author_id, jobs: n }) => [author_id, n]))).toEqual(new Map([[bed.author, 9], [other, 2]]));
    bed.startFetcher();
    bed.startTeller();
    await bed.settled();
    expect(bed.told).toHaveLength(5);
  });
});

describe('a process', () => {
  it('that ends gives its page back at once, as it was; another asks for it', async () => {
    bed.web.pages.set('a.example/', null);
    await bed.drain(bed.write.send(bed.web.url('a.example/')));
    bed.startGroup();
    const first = bed.startFetcher({ timeoutMs: 10_000, leaseMs: 20_000 });
    await eventually(() => bed.web.asked.length === 1);
    await first.drain();
    expect(await bed.pages()).toMatchObject([{ state: 'waiting', attempts: 0, lease: null }]);
    bed.web.pages.delete('a.example/');
    bed.startFetcher();
    bed.startTeller();
    await bed.settled();
    expect([bed.web.asked.length, bed.told.length]).toEqual([2, 1]);
  });

  it('whose lease has run out stores nothing over what another has found', async () => {
    const [first, second] = [Promise.withResolvers<string[]>(), Promise.withResolvers<string[]>()];
    let asked = 0;
    bed.resolve = () => {
      asked += 1;
      return asked === 1 ? first.promise : second.promise;
    };
    await bed.drain(bed.write.send(bed.web.url('a.example/')));
    bed.startGroup();
    bed.startFetcher({ atOnce: 1, leaseMs: 300, timeoutMs: 10_000 });
    await eventually(() => asked === 1);
    bed.startFetcher({ atOnce: 1, leaseMs: 60_000, timeoutMs: 30_000 });
    bed.startTeller();
    await eventually(() => asked === 2);
    first.resolve([]);
    await eventually(() => bed.looks.length === 1);
    // Nor does it let anybody else at the site, which the other holds.
    const [site] = await bed.sql<[{ held: boolean }]>`SELECT s.next_at > now() + interval '20 seconds' AS held FROM link_sites s`;
    expect([site.held, await bed.pages()]).toMatchObject([true, [{ state: 'waiting', failure: null, lease: expect.any(String) }]]);
    second.resolve(['127.0.0.1']);
    await bed.settled();
    expect(await bed.pages()).toMatchObject([{ state: 'found', failure: null }]);
    expect(bed.told).toHaveLength(1);
  });

  it('that cannot tell a room tells it later; other rooms do not wait', async () => {
    const other = await insertChannel(bed.sql, [bed.author]);
    const [stuck, fine] = [bed.write.send(bed.web.url('a.example/')), new EventWriter(bed.author).send(bed.web.url('a.example/'))];
    let isAway = true;
    bed.announce = async ({ channel_id }) => {
      if (isAway && channel_id === bed.channel) throw new Error('a room has failed');
    };
    await bed.drain(stuck);
    await drain(bed.sql, other, [fine]);
    bed.startGroup();
    bed.startFetcher();
    bed.startTeller();
    // What was told is done with once that is committed.
    await eventually(async () => bed.told.length === 1 && bed.errors.length > 0 && (await bed.jobs()).length === 1);
    expect([bed.told[0]?.message_id, (await bed.jobs()).map(({ message_id }) => message_id)]).toEqual([fine.message_id, [stuck.message_id]]);
    isAway = false;
    await bed.settled();
    expect(bed.told[1]?.message_id).toBe(stuck.message_id);
  });
});

describe('what is kept', () => {
  it('of a page that is settled holds no address, and is forgotten when it expires; a site while a page waits for it is not', async () => {
    const [group] = [bed.startGroup()];
    bed.startTeller();
    const fetcher = bed.startFetcher();
    const secret = `a.example/${uuidv7()}`;
    await bed.drain(bed.write.send(bed.web.url(secret)));
    await bed.quiet(group);
    await bed.settled();
    await fetcher.stop();
    await bed.drain(bed.write.send(bed.web.url('b.example/')));
    await bed.quiet(group);
    const [row] = await bed.sql<[{ page: string; hash: string }]>`SELECT (to_jsonb(p) - 'preview')::text AS page, encode(p.url_hash, 'hex') AS hash FROM link_pages p WHERE p.state = 'found'`;
    expect(row.hash).toBe(hashOf(bed.web.url(secret)));
    expect(row.page).not.toContain(secret);
    await bed.sql`UPDATE link_pages SET expires_at = now() WHERE state <> 'waiting'`;
    await bed.sql`UPDATE link_sites SET next_at = now() - interval '2 hours'`;
    expect(await purgePages(bed.sql, 100)).toBe(false);
    expect((await bed.pages()).map(({ site }) => site)).toEqual(['b.example']);
    expect(await bed.sql`SELECT s.site FROM link_sites s`).toEqual([{ site: 'b.example' }]);
  });
});
