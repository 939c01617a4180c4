import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { handlesOf, personOf } from './claims.ts';

const iss = 'https://id.example';

describe('a person from claims', () => {
  it('takes the preferred name', () => {
    const person = personOf({ iss, sub: '1', preferred_username: 'Ada.Lovelace', name: 'Ada Lovelace' });
    expect({ ...person, handles: [...person.handles][0] }).toEqual({ issuer: iss, subject: '1', handles: 'ada.lovelace', display_name: 'Ada Lovelace', unnamed: false });
  });

  it.each([
    [{ sub: '1' }, 'user', 'user'],
    [{ sub: '1', email: 'grace@navy.example' }, 'grace', 'grace'],
    [{ sub: '1', preferred_username: 7, name: 'Zoë\u0000\ud800' }, 'zoe', 'Zoë \ufffd'],
    [{ sub: '1', preferred_username: '東京' }, 'user', '東京'],
    [{ sub: '1', preferred_username: '--x--' }, 'x', '--x--'],
    [{ sub: '1', preferred_username: 'eve', name: '\u202eadA\u200b' }, 'eve', 'adA'],
    [{ sub: '1', preferred_username: 'eve', name: '\u3164' }, 'eve', 'eve'],
  ])('stands in for what is missing: %j', (claims, handle, name) => {
    const person = personOf({ iss, ...claims });
    expect([[...person.handles][0], person.display_name]).toEqual([handle, name]);
  });

  it.each([
    [{ email: 'Grace.Hopper+x@navy.example', email_verified: true }, 'Grace.Hopper+x@navy.example'],
    [{ email: 'grace@navy.example', email_verified: 'true' }, 'grace@navy.example'],
    [{ email: 'grace@navy.example', email_verified: false }, null],
    [{ email: 'grace@navy.example' }, null],
    [{ email: 'grace@navy.example', email_verified: 'perhaps' }, null],
    [{ email: 'grace@navy.example', email_verified: 'on' }, null],
    [{ email: 'grace@navy.example', email_verified: '1' }, null],
    [{ email_verified: true }, null],
    [{}, undefined],
    [{ email: 'grace@navy.example, eve@evil.example', email_verified: true }, null],
    [{ email: 'grace@navy.example\r\nBcc: eve@evil.example', email_verified: true }, null],
    [{ email: '"Grace" <grace@navy.example>', email_verified: true }, null],
    [{ email: `${'x'.repeat(250)}@navy.example`, email_verified: true }, null],
    [{ email: 'grace@localhost', email_verified: true }, null],
  ])('has the address that its provider has verified, and no other: %j', (claims, address) => {
    expect(personOf({ iss, sub: '1', ...claims }).email).toBe(address);
  });

  it.each([{ iss }, { iss, sub: '' }, { iss, sub: 7 }, { sub: '1' }, null])('needs an issuer and a subject: %j', (claims) => {
    expect(() => personOf(claims)).toThrow(z.ZodError);
  });

  it.each(['here', 'Channel', 'all', 'everyone', '@me'])('offers no handle that mentions many: %s', (name) => {
    const handles = [...personOf({ iss, sub: '1', preferred_username: name }).handles];
    expect(handles.every((handle) => handle.includes('-'))).toBe(true);
    expect(handles).toHaveLength(18);
  });

  it('offers a bounded number of handles, all storable and different', () => {
    let n = 0;
    const handles = [...handlesOf('X'.repeat(100), () => ++n / 100)];
    expect(handles).toHaveLength(19);
    expect(new Set(handles).size).toBe(19);
    expect(handles.every((handle) => /^[a-z0-9._-]{1,42}$/.test(handle))).toBe(true);
  });
});
