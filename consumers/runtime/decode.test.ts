import { describe, expect, it } from 'vitest';
import { created } from '../../tests/support/event-log.ts';
import { searchIndexer } from '../search-indexer/group.ts';
import { decode } from './decode.ts';
import type { SourceRecord } from './record.ts';

const KEY = '0190a1b2-0000-7000-8000-000000000001';
const event = created(7);

function record(change: Partial<SourceRecord> = {}, headers: SourceRecord['headers'] = {}): SourceRecord {
  const good = { ce_type: 'colink.message.created.v1', log_position: '41' };
  const value = Buffer.from(JSON.stringify(event));
  return { topic: 'message.events', partition: 0, offset: '0', key: Buffer.from(KEY), value, headers: { ...good, ...headers }, ...change };
}

const withValue = (value: string | Buffer | null) => record({ value: typeof value === 'string' ? Buffer.from(value) : value });

describe('decode', () => {
  it('lets a good record through', () => {
    expect(decode(searchIndexer, record())).toMatchObject({ kind: 'event', key: KEY, position: 41, event });
  });

  it('lets types pass by that the group does not read, unread', () => {
    expect(decode(searchIndexer, record({ value: Buffer.from('{') }, { ce_type: 'colink.reaction.added.v1' })).kind).toBe('passed');
  });

  it('lets types pass by that nobody knows yet', () => {
    expect(decode(searchIndexer, record({}, { ce_type: 'colink.poll.opened.v1' })).kind).toBe('passed');
  });

  it.each([
    ['no key', record({ key: null }), 'bad_key'],
    ['a key that is no UUID', record({ key: Buffer.from('general') }), 'bad_key'],
    ['a key with a NUL', record({ key: Buffer.from(`${KEY.slice(0, -1)}\0`) }), 'bad_key'],
    ['no value', withValue(null), 'no_value'],
    ['an empty value', withValue(''), 'bad_json'],
    ['bad JSON', withValue('{"type":'), 'bad_json'],
    ['no UTF-8', withValue(Buffer.from([0x22, 0xff, 0x22])), 'bad_json'],
    ['a scalar', withValue('7'), 'bad_shape'],
    ['a NUL in the text', withValue(JSON.stringify({ ...event, text: 'a\0b' })), 'bad_shape'],
    ['a lone surrogate in the text', withValue(JSON.stringify({ ...event, text: '\ud800' })), 'bad_shape'],
    ['a field too many', withValue(JSON.stringify({ ...event, more: 1 })), 'bad_shape'],
    ['a text too long', withValue(JSON.stringify({ ...event, text: 'x'.repeat(10_001) })), 'bad_shape'],
    ['another type inside', record({}, { ce_type: 'colink.message.edited.v1' }), 'type_mismatch'],
    ['no type', record({}, { ce_type: undefined }), 'bad_type'],
    ['a type of no form', record({}, { ce_type: 'message.created' }), 'bad_type'],
    ['two types', record({}, { ce_type: ['colink.message.created.v1', 'colink.message.created.v1'] }), 'bad_type'],
    ['a type of another topic', record({}, { ce_type: 'colink.user.updated.v1' }), 'wrong_topic'],
    ['a type it reads, on another topic', record({ topic: 'user.events' }), 'wrong_topic'],
    ['a major version to come', record({}, { ce_type: 'colink.message.created.v2' }), 'unknown_version'],
    ['no position', record({}, { log_position: undefined }), 'bad_position'],
    ['a position of 0', record({}, { log_position: '0' }), 'bad_position'],
    ['a position past 2^53', record({}, { log_position: '99999999999999999' }), 'bad_position'],
  ])('refuses %s without quoting it', (_, poison, errorClass) => {
    const decoded = decode(searchIndexer, poison);
    expect(decoded).toMatchObject({ kind: 'fatal', failure: { errorClass } });
    expect(JSON.stringify(decoded.kind === 'fatal' && decoded.failure)).not.toContain(event.text);
  });
});
