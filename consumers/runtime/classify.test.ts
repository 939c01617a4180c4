import { describe, expect, it } from 'vitest';
import { classify, describeFailure, failureFields, InfrastructureError } from './classify.ts';

const coded = (code: string, message = 'x'): Error => Object.assign(new Error(message), { code });
const answer = (code: string, constraint_name?: string): Error => Object.assign(coded(code), { name: 'PostgresError', constraint_name });

describe('classify', () => {
  it.each(['ECONNREFUSED', 'ECONNRESET', 'CONNECTION_CLOSED', 'CONNECT_TIMEOUT', 'CONNECTION_DESTROYED'])('%s is infrastructure', (code) =>
    expect(classify(coded(code))).toBe('infrastructure'),
  );
  it.each(['57P01', '08006', '53100', '53300', '40001', '40P01', '42P01', '25006'])('SQLSTATE %s is infrastructure', (code) =>
    expect(classify(answer(code))).toBe('infrastructure'),
  );
  it.each(['22P05', '23505', '23514', '54000', 'P0001'])('SQLSTATE %s is the record', (code) => expect(classify(answer(code, 'a_rule'))).toBe('record'));
  it('waits for a partition that is missing', () => expect(classify(answer('23514'))).toBe('infrastructure'));
  it('waits for a broker', () => expect(classify(Object.assign(new Error('x'), { name: 'KafkaJSConnectionError' }))).toBe('infrastructure'));
  it('takes a handler at its word', () => expect(classify(new InfrastructureError('clamd is away'))).toBe('infrastructure'));
  it('blames the record for what the code of a group throws', () => expect(classify(new TypeError('x is undefined'))).toBe('record'));
});

describe('describeFailure', () => {
  it('is bounded and storable, whatever was thrown', () => {
    const { errorMessage } = describeFailure(new Error(`a\0b\ud800${'😀'.repeat(400)}`));
    expect(errorMessage.length).toBeLessThanOrEqual(500);
    expect(errorMessage.isWellFormed()).toBe(true);
    expect(errorMessage).not.toContain('\0');
    expect(describeFailure('plain')).toEqual({ errorClass: 'Error', errorMessage: 'plain' });
  });

  it('keeps what may quote a message out of logs', () => {
    expect(failureFields(coded('22P02', 'invalid input: "secret"'))).toEqual({ error_class: 'Error:22P02' });
    expect(failureFields(coded('ECONNREFUSED', 'connect 127.0.0.1'))).toMatchObject({ error_message: 'connect 127.0.0.1' });
  });
});
