import { describe, expect, test } from 'vitest';
import { classifyPostgresError } from './errors.ts';

const failure = (fields: object, message = '') => Object.assign(new Error(message), fields);

describe('classifyPostgresError', () => {
  test.each(['08006', '40001', '40P01', '53100', '53300', '57P01', '57014', '58030', 'XX000', '55P03', '25006'])('%s is unreachable', (code) => {
    expect(classifyPostgresError(failure({ code }))).toBe('unreachable');
  });

  test.each(['22P05', '22001', '23505', '54000', 'P0001'])('%s is data', (code) => {
    expect(classifyPostgresError(failure({ code }))).toBe('data');
  });

  test.each(['42P01', '28P01', '3D000', '21000'])('%s is other', (code) => {
    expect(classifyPostgresError(failure({ code }))).toBe('other');
  });

  test('a violated check is data, a missing partition is not', () => {
    expect(classifyPostgresError(failure({ code: '23514', constraint_name: 'messages_check' }))).toBe('data');
    expect(classifyPostgresError(failure({ code: '23514', table_name: 'messages' }))).toBe('other');
  });

  test.each(['CONNECT_TIMEOUT', 'CONNECTION_CLOSED', 'CONNECTION_ENDED', 'ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND'])(
    '%s is unreachable',
    (code) => {
      expect(classifyPostgresError(failure({ code }))).toBe('unreachable');
    },
  );

  test('a socket without a code is known by its message', () => {
    expect(classifyPostgresError(failure({}, 'Network connection lost.'))).toBe('unreachable');
    expect(classifyPostgresError(failure({}, 'proxy request failed, cannot connect to the specified address'))).toBe('unreachable');
  });

  test('wrapped errors count as what they wrap', () => {
    expect(classifyPostgresError(new Error('Failed query', { cause: failure({ code: '22P05' }) }))).toBe('data');
    expect(classifyPostgresError(new Error('Failed query', { cause: failure({ code: 'ECONNREFUSED' }) }))).toBe('unreachable');
  });

  test('anything else is other', () => {
    expect(classifyPostgresError(new TypeError('x is not a function'))).toBe('other');
    expect(classifyPostgresError('away')).toBe('other');
  });
});
