import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { FrontRules } from './worker-front.ts';

export interface BundleOptions {
  /** The `wrangler.toml`. */
  readonly configFile: string;
  /** The Worker's entry module. */
  readonly entry: string;
  readonly rules: FrontRules;
  readonly outDir: string;
}

/** The named entrypoint of the bundle that takes requests; beside it the bundle exports all that the entry does. */
export const FRONT_ENTRYPOINT = 'Front';

/**
 * Bundles the Worker with wrangler, as a deploy would, with the routing of assets in front. Takes 1 s. Resolves to the bundle's path.
 * @throws with esbuild's own messages.
 */
export async function bundleWorker({ configFile, entry, rules, outDir }: BundleOptions): Promise<string> {
  const source = join(outDir, 'front.ts');
  await mkdir(outDir, { recursive: true });
  await writeFile(source, frontModule(entry, rules));
  const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin', 'wrangler.js');
  const args = [wrangler, 'deploy', source, '--dry-run', '--config', configFile, '--outdir', outDir];
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', NO_COLOR: '1' };
  await promisify(execFile)(process.execPath, args, { env, cwd: dirname(configFile) }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`the Worker does not bundle:\n${error.stderr || error.stdout || error.message}`);
  });
  return join(outDir, 'front.js');
}

function frontModule(entry: string, rules: FrontRules): string {
  const front = fileURLToPath(new URL('worker-front.ts', import.meta.url));
  return [
    `import worker from ${JSON.stringify(entry)};`,
    `import { front } from ${JSON.stringify(front)};`,
    `export * from ${JSON.stringify(entry)};`,
    `export const ${FRONT_ENTRYPOINT} = front(worker, ${JSON.stringify(rules)});`,
    'export default worker;\n',
  ].join('\n');
}

/** Paths of the files under an assets directory, as a browser asks for them. */
export function assetPaths(directory: string): string[] {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => `/${relative(directory, join(entry.parentPath, entry.name)).split(sep).join('/')}`);
}
