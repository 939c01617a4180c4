import { randomBytes } from 'node:crypto';
import { Webhook } from 'standardwebhooks';
import { describe, expect, it } from 'vitest';
import { signatureHeaders } from './signature.ts';

const [now, before, other] = [randomBytes(32), randomBytes(32), randomBytes(32)];
const signed = { id: '0190a1b2-0000-7000-8000-000000000001', timestamp: Math.floor(Date.now() / 1_000), body: '{"type":"message.created","data":{"text":"grüß dich 👋"}}' };
const knows = (secret: Uint8Array, headers: Record<string, string>, body = signed.body): boolean => {
  try {
    new Webhook(`whsec_${Buffer.from(secret).toString('base64')}`).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};

describe('a signature, as the official library verifies it', () => {
  it('is known by its secret alone', () => {
    expect([now, other].map((secret) => knows(secret, signatureHeaders(signed, [now])))).toEqual([true, false]);
  });

  it('is known by both secrets while one follows the other', () => {
    expect([now, before, other].map((secret) => knows(secret, signatureHeaders(signed, [now, before])))).toEqual([true, true, false]);
  });

  it('covers id, time and body, byte by byte', () => {
    const headers = signatureHeaders(signed, [now]);
    expect(knows(now, headers, `${signed.body} `)).toBe(false);
    expect(knows(now, { ...headers, 'webhook-id': `${signed.id.slice(0, -1)}2` })).toBe(false);
    expect(knows(now, { ...headers, 'webhook-timestamp': String(signed.timestamp + 1) })).toBe(false);
  });

  it('of another day is refused by receivers', () => {
    expect(knows(now, signatureHeaders({ ...signed, timestamp: signed.timestamp - 3_600 }, [now]))).toBe(false);
  });
});
