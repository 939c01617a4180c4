import { expect, test } from 'vitest';
import { returnFigures } from './sweep-returns.ts';

const returned = { sockets: 1_000, msASocket: 0.5, windowMs: 750, backMs: 1_200, retries: 3, reset: 0, failures: 0, answerTimes: [1, 5, 2], refused: 1, cpuMs: 900 };

test('what is told of sockets that came back, and of those who waited meanwhile', () => {
  expect(returnFigures([returned])).toEqual({
    'return_1000_by_0.5_ms_window_ms': 750,
    'return_1000_by_0.5_ms_back_ms': 1_200,
    'return_1000_by_0.5_ms_retries': 3,
    'return_1000_by_0.5_ms_others_p99_ms': 5,
    'return_1000_by_0.5_ms_others_most_ms': 5,
    'return_1000_by_0.5_ms_others_refused': 1,
    'return_1000_by_0.5_ms_cpu_ms_a_socket': 0.9,
  });
});
