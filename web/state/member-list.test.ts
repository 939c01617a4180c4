import { describe, expect, it } from 'vitest';
import type { Member } from '../../protocol/api.ts';
import type { ChannelEvent, MemberRole } from '../../protocol/events.ts';
import { groupMembers } from './member-groups.ts';
import { MAX_LISTED, MemberList } from './member-list.ts';

type Page = { data: Member[]; next_cursor: string | null };

const member = (id: string, role: MemberRole = 'member'): Member => ({ user: { id, handle: id, display_name: id, role: 'member', avatar: null }, role, joined_at: '2026-01-01T00:00:00.000Z' });
const base = { seq: 1, id: 'e', at: '2026-01-01T00:00:00.000Z', actor_id: 'x' };
const added = (user_id: string, role: MemberRole = 'member'): ChannelEvent => ({ ...base, type: 'member.added', user_id, role });
const removed = (user_id: string): ChannelEvent => ({ ...base, type: 'member.removed', user_id });
const ids = (list: MemberList): string[] => [...list.roles.value.keys()];

/** Pages of `size`, the cursor being where the next one begins; each call waits for `answer`. */
function paged(all: readonly string[], size: number) {
  const asked: (string | undefined)[] = [];
  const read = async (cursor?: string): Promise<Page> => {
    asked.push(cursor);
    const from = Number(cursor ?? 0);
    return { data: all.slice(from, from + size).map((id) => member(id)), next_cursor: from + size < all.length ? String(from + size) : null };
  };
  return { read, asked };
}

const many = (count: number): string[] => Array.from({ length: count }, (_, i) => `m${i}`);

describe('the list of members', () => {
  it('is read whole up to the number whose presence is told by name, and page by page from there', async () => {
    const { read, asked } = paged(many(450), 50);
    const list = new MemberList(read, () => {});
    await list.open();
    expect([ids(list).length, asked.length]).toEqual([200, 4]);
    await list.open();
    expect(asked.length).toBe(4);
    await list.more();
    expect([ids(list).length, list.cursor.value]).toEqual([250, '250']);
  });

  it('G8: ends at its limit', async () => {
    const list = new MemberList(paged(many(1_500), 500).read, () => {});
    await list.open();
    list.apply([removed('m0'), added('late')]);
    await list.more();
    await list.more();
    list.apply([added('later'), added('m1', 'admin')]);
    expect([ids(list).length, ids(list).includes('later'), list.roles.value.get('m1')]).toEqual([MAX_LISTED, false, 'admin']);
  });

  it('follows who comes, goes and changes role', async () => {
    const list = new MemberList(paged(['ann', 'bob'], 50).read, () => {});
    await list.open();
    list.apply([added('cid'), removed('bob'), added('ann', 'admin')]);
    expect([...list.roles.value]).toEqual([['ann', 'admin'], ['cid', 'member']]);
  });

  it('takes nothing in before it has been read: the page will have it', () => {
    const list = new MemberList(paged([], 50).read, () => {});
    list.apply([added('ann')]);
    expect(ids(list)).toEqual([]);
  });

  it('holds what happened while a page was on its way, be the page from before or after', async () => {
    const { promise, resolve } = Promise.withResolvers<Page>();
    const list = new MemberList(() => promise, () => {});
    const opened = list.open();
    list.apply([removed('bob'), added('cid')]);
    resolve({ data: [member('ann'), member('bob')], next_cursor: null });
    await opened;
    expect(ids(list)).toEqual(['ann', 'cid']);
  });

  it('that was made void is read anew, and a page asked for before is dropped (G4)', async () => {
    const { promise, resolve } = Promise.withResolvers<Page>();
    const pages = [promise, Promise.resolve<Page>({ data: [member('new')], next_cursor: null })];
    const list = new MemberList(() => pages.shift() ?? promise, () => {});
    const first = list.open();
    list.forget();
    await list.open();
    resolve({ data: [member('old')], next_cursor: 'more' });
    await first;
    expect([ids(list), list.cursor.value, list.loading.value.name]).toEqual([['new'], null, 'idle']);
  });

  it('says why it could not be read, and can be asked again', async () => {
    const answers = [Promise.reject(new Error('The server could not be reached')), Promise.resolve<Page>({ data: [member('ann')], next_cursor: null })];
    const list = new MemberList(() => answers.shift() ?? Promise.reject(new Error('no more')), () => {});
    await list.open();
    expect(list.loading.value).toEqual({ name: 'failed', reason: 'The server could not be reached' });
    await list.open();
    expect([ids(list), list.loading.value.name]).toEqual([['ann'], 'idle']);
  });
});

describe('members in groups', () => {
  const roles = new Map<string, MemberRole>([['1', 'member'], ['2', 'owner'], ['3', 'member']]);
  const nameOf = (id: string): string => ({ 1: 'zoe', 2: 'Bob', 3: 'ann' })[id] ?? '';
  const outline = (presence: Parameters<typeof groupMembers>[2]) => groupMembers(roles, nameOf, presence).map(({ title, members }) => [title, members.map(({ name, state }) => `${name} ${state}`)]);

  it('are those who are here and those who are not, each by name', () => {
    const presence = new Map([['1', { user_id: '1', state: 'dnd' as const, status: null }], ['3', { user_id: '3', state: 'away' as const, status: null }]]);
    expect(outline(presence)).toEqual([['Here', ['ann away', 'zoe dnd']], ['Offline', ['Bob offline']]]);
  });

  it('of a channel whose presence is told by number are one', () => {
    expect(outline(null)).toEqual([['Members', ['ann null', 'Bob null', 'zoe null']]]);
  });

  it('leave out a group of nobody', () => {
    expect(outline(new Map()).map(([title]) => title)).toEqual(['Offline']);
  });
});
