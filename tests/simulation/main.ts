import { parseArgs } from 'node:util';
import { simulate } from './simulate.ts';

/** `npm run simulate -- --seed N [--count N] [--trace]`: runs so many seeds from `--seed` on; stops at the first that fails. */
const { values } = parseArgs({ options: { seed: { type: 'string', default: '1' }, count: { type: 'string', default: '1' }, trace: { type: 'boolean', default: false } } });
const first = Number(values.seed);
const started = performance.now();
for (let seed = first; seed < first + Number(values.count); seed += 1) {
  const violations = await simulate(seed, values.trace ? { print: console.log } : {});
  if (violations.length === 0) continue;
  console.error(`seed ${seed} fails:`);
  for (const { message } of violations) console.error(`  ${message}`);
  process.exit(1);
}
console.log(`${values.count} seeds held, ${((performance.now() - started) / Number(values.count)).toFixed(1)} ms each`);
