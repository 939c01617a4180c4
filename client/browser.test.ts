import { describe, expect, it } from 'vitest';
import { pageOwner } from './browser.ts';
import { settle } from './testing/fake-clock.ts';

/** Node has the very locks of browsers; here one of its own holds for another page. */
async function otherPage(id: string): Promise<() => Promise<void>> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const held = navigator.locks.request(`colink.page.${id}`, () => promise);
  await settle();
  return async () => {
    resolve();
    await held;
  };
}

describe('a page among those of its user', () => {
  it('G2: inherits from one that is gone, not from one that lives', async () => {
    const close = await otherPage('other');
    const owner = pageOwner('mine');
    const taken: string[] = [];
    await owner.inherit('other', async () => void taken.push('from the living'));
    expect(taken).toEqual([]);
    await close();
    await owner.inherit('other', async () => void taken.push('from the dead'));
    expect(taken).toEqual(['from the dead']);
  });

  it('G2: is the only one to inherit at a time', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const taken: string[] = [];
    const first = pageOwner('first').inherit('gone', () => promise);
    await settle();
    await pageOwner('second').inherit('gone', async () => void taken.push('second'));
    resolve();
    await first;
    expect(taken).toEqual([]);
  });

  it('is itself a living one to the others', async () => {
    pageOwner('third');
    await settle();
    const taken: string[] = [];
    await pageOwner('fourth').inherit('third', async () => void taken.push('fourth'));
    expect(taken).toEqual([]);
  });
});
