import { describe, expect, it } from 'vitest';
import { checkEffects, type Place } from './effect-checker.ts';

const at = (key: string, ...positions: number[]): Place[] => positions.map((position) => ({ key, position }));
const log = [...at('a', 1, 3, 5), ...at('b', 2, 4)];
const whole = { log, effects: [...at('b', 2), ...at('a', 1, 3, 5), ...at('b', 4)], parked: [], dead: [] };

describe('effect checker', () => {
  it('finds nothing in a history that holds, also where records wait or are dead', () => {
    expect(checkEffects(whole)).toEqual([]);
    expect(checkEffects({ log, effects: [...at('a', 1), ...at('b', 2, 4)], dead: at('a', 3), parked: at('a', 5) })).toEqual([]);
  });

  it.each([
    ['lost', { ...whole, effects: whole.effects.slice(1) }, 'G1'],
    ['duplicated', { ...whole, effects: [...whole.effects, ...at('b', 4)] }, 'G2'],
    ['duplicated', { ...whole, dead: at('a', 3) }, 'G2'],
    ['ghost', { ...whole, effects: [...whole.effects, ...at('c', 9)] }, 'G2'],
    ['reordered', { ...whole, effects: [...at('a', 3, 1, 5), ...at('b', 2, 4)] }, 'G3'],
  ])('finds what is %s', (kind, history, guarantee) => {
    expect(checkEffects(history)).toMatchObject([{ kind, guarantee }]);
  });
});
