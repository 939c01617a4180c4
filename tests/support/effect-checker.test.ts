import { describe, expect, it } from 'vitest';
import { accountOf, checkEffects, type GroupHistory, type Place } from './effect-checker.ts';

const at = (key: string, ...positions: number[]): Place[] => positions.map((position) => ({ key, position }));
const log = [...at('a', 1, 3, 5), ...at('b', 2, 4)];
const cursors = [{ stream: 'message.events/3', offsets: [1n, 2n, 2n, 5n] }];
const whole: GroupHistory = { log, effects: [...at('b', 2), ...at('a', 1, 3, 5), ...at('b', 4)], parked: [], dead: [], discarded: [], cursors };
const scattered: GroupHistory = { log, effects: [...at('a', 1), ...at('b', 2)], dead: at('a', 3), parked: at('a', 5), discarded: at('b', 4), cursors };

const kindsOf = (history: GroupHistory): string[] => checkEffects(history).map(({ kind, guarantee }) => `${guarantee} ${kind}`);

describe('effect checker', () => {
  it('finds nothing in a history that holds, also where records wait, are dead or were given up', () => {
    expect(checkEffects(whole)).toEqual([]);
    expect(checkEffects(scattered)).toEqual([]);
    expect(accountOf(scattered)).toEqual({ in: 5, done: 2, parked: 1, dead: 1, discarded: 1 });
  });

  it.each<[string, GroupHistory, string[]]>([
    ['lost: a later one of its key was taken', { ...whole, effects: [...at('a', 1, 5), ...at('b', 2, 4)] }, ['G1 lost', 'G1 unaccounted']],
    ['unseen: the end of a key', { ...whole, effects: whole.effects.slice(0, -1) }, ['G1 unseen', 'G1 unaccounted']],
    ['duplicated', { ...whole, effects: [...whole.effects, ...at('b', 4)] }, ['G2 duplicated', 'G1 unaccounted']],
    ['duplicated: an effect and a dead letter', { ...whole, dead: at('a', 3) }, ['G2 duplicated', 'G1 unaccounted']],
    ['duplicated: an effect and given up', { ...whole, discarded: at('b', 2) }, ['G2 duplicated', 'G1 unaccounted']],
    ['a ghost', { ...whole, effects: [...whole.effects, ...at('c', 9)] }, ['G2 ghost', 'G1 unaccounted']],
    ['reordered', { ...whole, effects: [...at('a', 3, 1, 5), ...at('b', 2, 4)] }, ['G3 reordered']],
    ['a cursor that went back', { ...whole, cursors: [{ stream: 'message.events/3', offsets: [1n, 5n, 4n, 6n] }] }, ['G3 non-monotonic']],
    ['one doubled and another lost, which the sum hides', { ...whole, effects: [...at('a', 1, 1, 5), ...at('b', 2, 4)] }, ['G1 lost', 'G2 duplicated']],
  ])('finds what is %s', (_, history, kinds) => {
    expect(kindsOf(history)).toEqual(kinds);
  });

  it('lets what was redriven come behind others of its key, and nothing else', () => {
    const history = { ...whole, effects: [...at('a', 3, 5, 1), ...at('b', 2, 4)] };
    expect(kindsOf(history)).toEqual(['G3 reordered']);
    expect(kindsOf({ ...history, redriven: new Set([1]) })).toEqual([]);
    expect(kindsOf({ ...history, redriven: new Set([3]) })).toEqual(['G3 reordered']);
  });
});
