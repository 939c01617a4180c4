import { describe, expect, it } from 'vitest';
import { chunkHeader, INSTREAM, parseScanReply, PING, STREAM_END } from './clamd-protocol.ts';

describe('the protocol of clamd', () => {
  it('frames commands with z and NUL, chunks with their length in four bytes', () => {
    expect([PING.toString(), INSTREAM.toString()]).toEqual(['zPING\0', 'zINSTREAM\0']);
    expect([...chunkHeader(0x01020304)]).toEqual([1, 2, 3, 4]);
    expect([...STREAM_END]).toEqual([0, 0, 0, 0]);
  });

  it.each([
    ['stream: OK', { kind: 'clean' }],
    ['stream: Win.Test.EICAR_HDB-1 FOUND', { kind: 'infected', signature: 'Win.Test.EICAR_HDB-1' }],
    ['stream: A name with FOUND in it FOUND', { kind: 'infected', signature: 'A name with FOUND in it' }],
    ['stream: Heuristics.Limits.Exceeded.MaxFileSize FOUND', { kind: 'unscannable', reason: 'Heuristics.Limits.Exceeded.MaxFileSize' }],
    ['INSTREAM size limit exceeded. ERROR', { kind: 'unscannable', reason: 'INSTREAM size limit exceeded' }],
    ['stream: Broken or not a CVD file ERROR', { kind: 'failed', reason: 'Broken or not a CVD file' }],
    ['stream: Can\'t allocate memory ERROR', { kind: 'overtaxed', reason: 'Can\'t allocate memory' }],
    ['stream: Can\'t create temporary file ERROR', { kind: 'overtaxed', reason: 'Can\'t create temporary file' }],
    ['COMMAND READ TIMED OUT ERROR', { kind: 'overtaxed', reason: 'COMMAND READ TIMED OUT' }],
  ])('reads %s', (text, reply) => {
    expect(parseScanReply(text)).toEqual(reply);
  });

  it.each(['', 'OK', 'FOUND', 'stream:', 'stream: ', 'stream: OK\n', 'stream: OK FOUND ', 'stream:  FOUND', 'xstream: OK', 'HTTP/1.1 400 Bad Request', 'UNKNOWN COMMAND', `stream: ${'x'.repeat(300)} FOUND`])(
    'takes %j for nonsense, and for no verdict', (text) => {
      expect(parseScanReply(text)).toMatchObject({ kind: 'nonsense' });
    },
  );
});
