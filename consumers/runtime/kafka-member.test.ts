import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { leaveGroup } from './kafka-member.ts';

const NEVER = new Promise<void>(() => {});

describe('leaving a group', () => {
  it('waits for the batches under way, however long they take, and says farewell once it has joined', async () => {
    const acts: string[] = [];
    const { promise: joined, resolve: join } = Promise.withResolvers<void>();
    const batch = sleep(3_500).then(() => void acts.push('a batch is through'));
    const left = leaveGroup({ disconnect: async () => void acts.push('left') }, joined, [batch]).then(() => acts.push('over'));
    join();
    await left;
    expect(acts).toEqual(['left', 'a batch is through', 'over']);
  });

  it.each([['a join that waits for a member that died', NEVER, async () => {}], ['a broker that does not answer', Promise.resolve(), () => NEVER]] as const)(
    'waits no longer than 3 s for %s', async (_, started, disconnect) => {
      const begun = performance.now();
      expect(await Promise.race([leaveGroup({ disconnect }, started, []).then(() => 'left'), sleep(4_500, 'waits')])).toBe('left');
      expect(performance.now() - begun).toBeGreaterThan(2_900);
    },
  );
});
