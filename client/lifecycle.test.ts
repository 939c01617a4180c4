import { describe, expect, it } from 'vitest';
import { BEGINNING, type ConnectionEvent, type ConnectionState, type Lifecycle, step } from './lifecycle.ts';

const NOW = 1_000_000;
const states: Record<ConnectionState['name'], ConnectionState> = {
  idle: { name: 'idle' },
  connecting: { name: 'connecting' },
  open: { name: 'open' },
  waiting: { name: 'waiting', reason: 'abnormal', retryAt: NOW },
  paused: { name: 'paused', reason: 'offline' },
  closed: { name: 'closed', reason: 'stopped' },
};
const events: Record<string, ConnectionEvent> = {
  start: { type: 'start' },
  stop: { type: 'stop' },
  wake: { type: 'wake' },
  retry: { type: 'retry' },
  welcome: { type: 'welcome' },
  lasted: { type: 'lasted' },
  move: { type: 'move' },
  'lost 1006': { type: 'lost', code: 1006, text: '' },
  'lost 4003': { type: 'lost', code: 4003, text: '' },
  refused: { type: 'refused', reason: 'unreachable', isFinal: false, afterMs: 0 },
  'refused for good': { type: 'refused', reason: 'not_found', isFinal: true, afterMs: 0 },
  offline: { type: 'hold', hold: 'offline' },
  hidden: { type: 'hold', hold: 'hidden' },
  released: { type: 'hold', hold: null },
};
/** State by state, where each event leads; an event that is missing changes nothing. `docs/client.md` has the same table. */
const table: Record<ConnectionState['name'], Record<string, ConnectionState['name']>> = {
  idle: { start: 'connecting', stop: 'closed' },
  connecting: { stop: 'closed', welcome: 'open', 'lost 1006': 'waiting', 'lost 4003': 'closed', refused: 'waiting', 'refused for good': 'closed', offline: 'paused', hidden: 'paused' },
  open: { stop: 'closed', move: 'connecting', 'lost 1006': 'waiting', 'lost 4003': 'closed', hidden: 'paused' },
  waiting: { stop: 'closed', wake: 'connecting', retry: 'connecting', offline: 'paused', hidden: 'paused' },
  paused: { stop: 'closed', wake: 'connecting', hidden: 'paused', released: 'connecting' },
  closed: { start: 'connecting' },
};

describe.each(Object.values(states))('$name', (state) => {
  it.each(Object.entries(events))('%s', (name, event) => {
    const life: Lifecycle = { ...BEGINNING, state };
    const next = step(life, event, NOW, () => 0.5);
    expect(next.state.name).toBe(table[state.name][name] ?? state.name);
    expect(next.state === state).toBe(table[state.name][name] === undefined);
  });
});

describe('a hold', () => {
  it.each([
    ['idle', { type: 'start' }],
    ['waiting', { type: 'retry' }],
    ['open', { type: 'move' }],
    ['open', { type: 'lost', code: 1006, text: '' }],
  ] as const)('turns an attempt from %s away until it is lifted', (name, event) => {
    const held: Lifecycle = { state: states[name], attempt: 0, hold: 'offline' };
    expect(step(held, event, NOW, () => 0.5).state).toEqual({ name: 'paused', reason: 'offline' });
  });
});
