import { signal } from '@preact/signals';
import { describe, expect, it } from 'vitest';
import type { User } from '../../protocol/api.ts';
import { begunMention, MentionChoice, peopleFor } from './mention-choice.ts';
import { findMentions } from './mentions.ts';

const user = (handle: string, display_name: string): User => ({ id: handle, handle, display_name, role: 'member', avatar: null });
const ann = user('ann', 'Ann Archer');
const bob = user('bob', 'Bob Baker');
const archie = user('archie', 'Zoe Archibald');
const PEOPLE = [bob, archie, ann];

const handles = (choice: MentionChoice): string[] => choice.offered.value.map(({ handle }) => handle);

describe('a mention being written', () => {
  it.each([
    ['@', '', 0],
    ['hi @An', 'an', 3],
    ['(@bob.', 'bob.', 1],
  ])('has begun: %s', (text, query, start) => {
    expect(begunMention(text, text.length)).toEqual({ start, query });
  });

  it.each(['', 'ann', 'a@', 'ann@exam', '@@', '@ann '])('has not: %j', (text) => {
    expect(begunMention(text, text.length)).toBeNull();
  });

  it('offers those whose handle begins so, then those of whose name a word does', () => {
    expect(peopleFor('ar', PEOPLE).map(({ handle }) => handle)).toEqual(['archie', 'ann']);
    expect(peopleFor('', PEOPLE).map(({ handle }) => handle)).toEqual(['ann', 'bob', 'archie']);
  });

  it('G8: offers eight at most', () => {
    expect(peopleFor('', Array.from({ length: 50 }, (_, i) => user(`u${i}`, `User ${i}`))).length).toBe(8);
  });

  it('follows who there is', () => {
    const people = signal<readonly User[]>([]);
    const choice = new MentionChoice(() => people.value);
    choice.look('@a', 2);
    expect(choice.isOpen).toBe(false);
    people.value = PEOPLE;
    expect(handles(choice)).toEqual(['ann', 'archie']);
  });

  it('goes round with the arrow keys, and begins anew with each letter', () => {
    const choice = new MentionChoice(() => PEOPLE);
    choice.look('@', 1);
    choice.move(-1);
    expect(choice.at.value).toBe(2);
    choice.move(1);
    choice.move(1);
    expect(choice.at.value).toBe(1);
    choice.look('@b', 2);
    expect(choice.at.value).toBe(0);
  });

  it('is written out in the middle of a text, and found as a mention then', () => {
    const choice = new MentionChoice(() => PEOPLE);
    choice.look('hi @b, all', 5);
    expect(choice.take(bob, 'hi @b, all', 5)).toEqual({ text: 'hi @bob, all', caret: 7 });
    expect(choice.isOpen).toBe(false);
    choice.look('@b all', 2);
    expect(choice.take(bob, '@b all', 2)).toEqual({ text: '@bob all', caret: 5 });
    choice.look('@b', 2);
    const taken = choice.take(bob, '@b', 2);
    expect(taken).toEqual({ text: '@bob ', caret: 5 });
    expect(findMentions(taken?.text ?? '').map(({ handle }) => handle)).toEqual(['bob']);
  });

  it('that was declined offers nothing until another begins', () => {
    const choice = new MentionChoice(() => PEOPLE);
    choice.look('@a', 2);
    choice.decline();
    expect([choice.look('@an', 3), choice.isOpen]).toEqual([false, false]);
    expect(choice.look('@an @b', 6)).toBe(true);
    expect(handles(choice)).toEqual(['bob']);
  });

  it('is over when its text is: the next one at its place is offered again', () => {
    const choice = new MentionChoice(() => PEOPLE);
    choice.look('@a', 2);
    choice.decline();
    choice.close();
    expect(choice.look('@b', 2)).toBe(true);
    choice.close();
    expect(choice.isOpen).toBe(false);
  });

  it('is settled where the only one there is has been written out', () => {
    const choice = new MentionChoice(() => PEOPLE);
    choice.look('@bo', 3);
    expect(choice.isSettled).toBe(false);
    choice.look('@bob', 4);
    expect(choice.isSettled).toBe(true);
  });
});
