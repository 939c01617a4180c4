import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig } from 'vitest/config';

const POSTGRES = './tests/support/postgres-setup.ts';
const POSTGRES_FOR_WORKERD = './tests/support/native-postgres-setup.ts';
const KAFKA = './tests/support/kafka-setup.ts';
const ignored = ['**/node_modules/**', '**/dist/**', '.colink/**'];

/** One project a suffix; the suffix says what a test needs. */
export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['**/*.test.ts'], exclude: [...ignored, '**/*.{workerd,pg,kafka,e2e}.test.ts'] } },
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
        test: { name: 'workerd', include: ['**/*.workerd.test.ts'], exclude: ignored, globalSetup: [POSTGRES_FOR_WORKERD], testTimeout: 30_000 },
      },
      { test: { name: 'pg', include: ['**/*.pg.test.ts'], exclude: ignored, globalSetup: [POSTGRES], testTimeout: 30_000 } },
      {
        test: {
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
        test: { name: 'e2e', include: ['**/*.e2e.test.ts'], exclude: ignored, setupFiles: ['./tests/support/contract-setup.ts'], testTimeout: 180_000, hookTimeout: 120_000, fileParallelism: false },
      },
    ],
  },
});
