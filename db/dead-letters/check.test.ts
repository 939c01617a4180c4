import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { created } from '../../tests/support/event-log.ts';
import { faultsOf, type KeptRecord } from './check.ts';

const event = created(1, 'a secret text');
const good: KeptRecord = {
  key: Buffer.from(randomUUID()),
  value: Buffer.from(JSON.stringify(event)),
  headers: { ce_type: 'colink.message.created.v1', log_position: '7' },
};

describe('faults of a record', () => {
  it('has none where a group would take it', () => {
    expect(faultsOf('message.events', good)).toEqual([]);
  });

  it.each<[string, Partial<KeptRecord>, RegExp]>([
    ['a null key', { key: null }, /key is not a UUID/],
    ['a key with NUL', { key: Buffer.from([0]) }, /key is not a UUID/],
    ['no position', { headers: { ce_type: 'colink.message.created.v1' } }, /log_position/],
    ['a header twice', { headers: { ce_type: ['colink.message.created.v1', 'x'], log_position: '7' } }, /ce_type is missing/],
    ['an unknown major version', { headers: { ce_type: 'colink.message.created.v9', log_position: '7' } }, /ce_type is not colink\.message\.created\.v1/],
    ['another type', { headers: { ce_type: 'colink.message.deleted.v1', log_position: '7' } }, /ce_type is not colink\.message\.created\.v1/],
    ['a type of another topic', { headers: { ce_type: 'colink.user.updated.v1', log_position: '7' } }, /ce_type is one of user\.events/],
    ['a null value', { value: null }, /value is null/],
    ['bad JSON', { value: Buffer.from('{"a secret text') }, /not UTF-8 JSON/],
    ['no UTF-8', { value: Buffer.from([0x22, 0xff, 0x22]) }, /not UTF-8 JSON/],
    ['NUL in a text', { value: Buffer.from(JSON.stringify({ ...event, text: 'a secret text\0' })) }, /\/text must be well-formed/],
    ['a missing field', { value: Buffer.from(JSON.stringify({ ...event, pos: undefined })) }, /\/pos/],
    ['an event nobody knows', { value: Buffer.from('{"type":"message.sung"}') }, /\/type/],
  ])('names %s, and never the value', (_, change, fault) => {
    const faults = faultsOf('message.events', { ...good, ...change });
    expect(faults.join('\n')).toMatch(fault);
    expect(faults.join('\n')).not.toContain('secret');
  });
});
