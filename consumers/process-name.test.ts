import { describe, expect, it } from 'vitest';
import { processName, processOf } from './process-name.ts';

describe('the name of a process', () => {
  it('says which part, which host and which process', () => {
    expect(processName('colink-relay', 'colink-fleet-7d9c-x2x', 17)).toBe('colink-relay@colink-fleet-7d9c-x2x:17');
    expect(processOf('colink-relay@colink-fleet-7d9c-x2x:17')).toBe('colink-fleet-7d9c-x2x:17');
    expect(processOf('psql')).toBe('psql');
  });

  it('keeps the process id whole where Postgres would cut it off', () => {
    const name = processName('colink-search-indexer', 'h'.repeat(80), 123_456);
    expect(name).toHaveLength(63);
    expect(name.endsWith(':123456')).toBe(true);
  });
});
