import { describe, expect, it } from 'vitest';
import { integer, seededRandom } from '../../client/testing/random.ts';
import { seedOfRun } from '../../tests/support/seed.ts';
import { isHonest, sniffType, typeOf } from './sniff.ts';

const PNG = Uint8Array.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 13, 0x49, 0x48, 0x44, 0x52, 0, 0, 0, 1, 0, 0, 0, 1, 8, 6, 0, 0, 0, 0x1f, 0x15, 0xc4, 0x89, 0, 0, 0, 0, 0x49, 0x44, 0x41, 0x54]);
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

describe('the type that first bytes tell', () => {
  it.each([
    ['a picture', PNG, 'image/png'],
    ['a document', bytes('%PDF-1.7\n'), 'application/pdf'],
    ['a text', bytes('Dear diary'), null],
    ['nothing', new Uint8Array(), null],
    ['one byte', Uint8Array.from([0]), null],
    ['a picture cut short', PNG.subarray(0, 5), null],
  ])('of %s', async (_, head, type) => {
    expect(await sniffType(head)).toBe(type);
  });

  const seed = seedOfRun();
  it(`is found, or not, for any bytes: nothing makes it fail (seed ${seed})`, async () => {
    const random = seededRandom(seed);
    const next = (): number => integer(random, 256);
    const heads = [PNG, bytes('%PDF-1.7\n'), Uint8Array.from([0x50, 0x4b, 3, 4]), Uint8Array.from([0x1a, 0x45, 0xdf, 0xa3]), Uint8Array.from([0x49, 0x44, 0x33, 4, 0, 0, 0x7f, 0x7f, 0x7f, 0x7f]), bytes('    ftypisom'), Uint8Array.from([0x49, 0x49, 0x2a, 0])];
    for (let n = 0; n < 300; n++) {
      const tail = Uint8Array.from({ length: next() * 8 }, next);
      const head = heads[n % heads.length] ?? PNG;
      const made = Uint8Array.from([...head, ...tail]);
      await expect(sniffType(made), `number ${n}`).resolves.toSatisfy((type) => type === null || typeof type === 'string');
    }
  });
});

describe('a claim', () => {
  it.each<[string, string | null]>([
    ['image/png', 'image/png'], ['image/jpg', 'image/jpeg'], ['image/apng', 'image/png'], ['text/plain', null], ['application/json', null],
    ['application/octet-stream', 'application/x-elf'], ['video/mp4', 'audio/mp4'], ['audio/mpeg', null], ['image/svg+xml', 'application/xml'], ['image/svg+xml', null],
    ['application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'application/zip'], ['application/msword', 'application/x-cfb'], ['application/x-whatever', null],
  ])('%s is borne out by %s', (claimed, sniffed) => {
    expect(isHonest(claimed, sniffed)).toBe(true);
  });

  it.each<[string, string | null]>([
    ['image/png', null], ['image/png', 'image/jpeg'], ['text/plain', 'application/x-elf'], ['application/pdf', 'application/zip'], ['application/zip', null],
    ['video/mp4', 'image/png'], ['application/msword', 'application/zip'], ['image/jpg', 'application/x-msdownload'],
  ])('%s is belied by %s', (claimed, sniffed) => {
    expect(isHonest(claimed, sniffed)).toBe(false);
  });

  it('of nothing gives way to what is found', () => {
    expect(typeOf('application/octet-stream', 'image/gif')).toBe('image/gif');
    expect(typeOf('application/octet-stream', null)).toBe('application/octet-stream');
    expect(typeOf('image/jpg', 'image/jpeg')).toBe('image/jpeg');
  });
});
