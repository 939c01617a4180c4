import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';
import { chooseSeed } from './tests/support/seed.ts';

const POSTGRES = './tests/support/postgres-setup.ts';
const POSTGRES_FOR_WORKERD = './tests/support/native-postgres-setup.ts';
const KAFKA = './tests/support/kafka-setup.ts';
/**
 * Bounds on a test that hangs, and no measure of the product: the machine of a CI is busy, and what a test waits for comes when it comes.
 * `expect.poll` would give up after 1,000 ms by itself.
 */
const PATIENCE = { testTimeout: 30_000, hookTimeout: 60_000, expect: { poll: { timeout: 10_000 } } };
const seed = chooseSeed(process.env);
// This file is read more than once a run; each time it is the same run.
if (process.env['COLINK_SEED'] === undefined) console.info(`What is random follows from seed ${seed}: COLINK_SEED=${seed} runs it again`);
process.env['COLINK_SEED'] = String(seed);
const COMMON = { ...PATIENCE, provide: { seed } };
const ignored = ['**/node_modules/**', '**/dist/**', '.colink/**'];

/** One project a suffix; the suffix says what a test needs. */
export default defineConfig({
  test: {
    projects: [
      { test: { ...COMMON, name: 'unit', include: ['**/*.test.ts'], exclude: [...ignored, '**/*.{workerd,pg,kafka,e2e}.test.ts'] } },
      {
        plugins: [
          cloudflareTest(({ inject }) => ({
            wrangler: { configPath: './wrangler.toml' },
            miniflare: {
              hyperdrives: { POSTGRES: inject<string>('workerPostgresUrl') },
              bindings: { ENVIRONMENT: 'development' },
            },
          })),
        ],
        test: { ...COMMON, name: 'workerd', include: ['**/*.workerd.test.ts'], exclude: ignored, globalSetup: [POSTGRES_FOR_WORKERD] },
      },
      { test: { ...COMMON, name: 'pg', include: ['**/*.pg.test.ts'], exclude: ignored, globalSetup: [POSTGRES] } },
      {
        test: {
          ...COMMON,
          name: 'kafka',
          include: ['**/*.kafka.test.ts'],
          exclude: ignored,
          globalSetup: [POSTGRES, KAFKA],
          setupFiles: ['./tests/support/kafka-clean.ts'],
          testTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: { ...COMMON, name: 'e2e', include: ['**/*.e2e.test.ts'], exclude: ignored, setupFiles: ['./tests/support/contract-setup.ts'], testTimeout: 180_000, hookTimeout: 120_000, fileParallelism: false },
      },
    ],
  },
});
