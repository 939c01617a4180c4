import { subscribe } from 'node:diagnostics_channel';
import { ChildProcess } from 'node:child_process';
import { basename, dirname, resolve } from 'node:path';
import { convertV4MiniflareOptions, Miniflare, type V4WorkerOptions } from 'miniflare';
import { unstable_getMiniflareWorkerOptions } from 'wrangler';
import { z } from 'zod';
import { assetPaths, bundleWorker, FRONT_ENTRYPOINT } from './worker-bundle.ts';
import type { FrontRules } from './worker-front.ts';
import { hostMessageSchema, hostSettingsSchema, type HostSettings } from './worker-messages.ts';

/**
 * Runs the Worker and its Durable Objects in workerd, in a process of its own: `node dev/worker-host.ts '<settings as JSON>'`.
 * `wrangler.toml` says what the Worker is; the settings say what is different on this machine. A workerd that dies is restarted by
 * Miniflare on the same port and storage; each start is told to the parent as `{workerd: <pid>}`. It ends when its parent closes the channel (Miniflare takes SIGTERM
 * for itself and leaves without waiting for workerd).
 */

/** How long a workerd that has died may be without a successor, in milliseconds. */
const REPLACED_WITHIN_MS = 5_000;

/**
 * Miniflare does not name its child, so each process it spawns is looked at. One that dies while it starts in the place of another is not started again
 * (Miniflare 5.20261102): then this host ends, and its supervisor starts another.
 */
function announceWorkerd(): void {
  let isMissing: NodeJS.Timeout | undefined;
  subscribe('child_process', (message) => {
    const child = z.object({ process: z.instanceof(ChildProcess) }).safeParse(message).data?.process;
    child?.once('spawn', () => {
      if (!basename(child.spawnfile).startsWith('workerd')) return;
      clearTimeout(isMissing);
      process.send?.(hostMessageSchema.parse({ workerd: child.pid }));
      child.once('exit', () => {
        isMissing = setTimeout(() => process.exit(1), REPLACED_WITHIN_MS);
      });
    });
  });
}

/**
 * Hyperdrive is a plain connection here. Without `sslmode=disable` Miniflare carries every byte through this process, and without a
 * password it refuses the URL (Miniflare 5.20261102); a Postgres that trusts loopback takes any.
 */
function hyperdriveUrl(postgresUrl: string): string {
  const url = new URL(postgresUrl);
  if (url.password === '') url.password = 'none';
  url.searchParams.set('sslmode', 'disable');
  return url.href;
}

async function workerOptions(settings: HostSettings): Promise<V4WorkerOptions> {
  const { workerOptions, main } = unstable_getMiniflareWorkerOptions(settings.configFile);
  const { modulesRules: _forBundlers, ...configured } = workerOptions;
  const script = await bundleWorker({
    configFile: settings.configFile,
    entry: settings.entry ?? main ?? '',
    rules: frontRules(configured['assets']),
    outDir: settings.bundleDir,
  });
  return {
    ...configured,
    ...(settings.compatibilityFlags && { compatibilityFlags: settings.compatibilityFlags }),
    ...(settings.requestsPerMinute && { ratelimits: quotas(configured['ratelimits'], settings.requestsPerMinute) }),
    name: 'colink',
    modules: [{ type: 'ESModule', path: script }],
    modulesRoot: dirname(script),
    bindings: { ...varsSchema.parse(configured['bindings']), ...settings.vars },
    hyperdrives: {
      POSTGRES: hyperdriveUrl(settings.postgresUrl),
      ...(settings.postgresReplicaUrl && { POSTGRES_REPLICA: hyperdriveUrl(settings.postgresReplicaUrl) }),
    },
    unsafeDirectSockets: [{ host: '127.0.0.1', port: settings.port, entrypoint: FRONT_ENTRYPOINT }],
  };
}

const ratelimitsSchema = z.record(z.string(), z.object({ namespace_id: z.string() }));
const quotas = (configured: unknown, limit: number) =>
  Object.fromEntries(Object.entries(ratelimitsSchema.parse(configured)).map(([name, { namespace_id }]) => [name, { namespace_id, simple: { limit, period: 60 as const } }]));

const varsSchema = z.record(z.string(), z.string());
const assetsSchema = z.object({
  directory: z.string(),
  routerConfig: z.object({ static_routing: z.object({ user_worker: z.array(z.string()) }) }),
});

function frontRules(configured: unknown): FrontRules {
  const { directory, routerConfig } = assetsSchema.parse(configured);
  return { workerFirst: routerConfig.static_routing.user_worker, assets: assetPaths(directory) };
}

async function main(): Promise<void> {
  const settings = hostSettingsSchema.parse(JSON.parse(process.argv[2] ?? ''));
  announceWorkerd();
  const miniflare = new Miniflare(
    convertV4MiniflareOptions({
      ...(await workerOptions(settings)),
      host: '127.0.0.1',
      port: 0,
      cf: false,
      logRequests: false,
      resourcePersistencePath: resolve(settings.storageDir),
      handleStructuredLogs: ({ level, message }) => console.log(`${level} ${message}`),
    }),
  );
  await miniflare.ready;
  process.once('disconnect', () => void miniflare.dispose().then(() => process.exit(0)));
}

await main();
