import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { z } from 'zod';
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
 * Bundles the Worker with wrangler, as a deploy would, with the routing of assets in front. Takes 1 s; nothing if no source has changed
 * since the last time. Resolves to the bundle's path.
 * @throws with esbuild's own messages.
 */
export async function bundleWorker({ configFile, entry, rules, outDir }: BundleOptions): Promise<string> {
  const bundle = join(outDir, 'front.js');
  const metafile = join(outDir, 'metafile.json');
  const source = join(outDir, 'front.ts');
  await mkdir(outDir, { recursive: true });
  await writeIfChanged(source, frontModule(entry, rules));
  if (isFresh(bundle, metafile, configFile)) return bundle;
  await runWrangler(['deploy', source, '--dry-run', '--config', configFile, '--outdir', outDir, '--metafile', metafile], dirname(configFile));
  return bundle;
}

async function writeIfChanged(file: string, text: string): Promise<void> {
  if ((await readFile(file, 'utf8').catch(() => null)) !== text) await writeFile(file, text);
}

const metafileSchema = z.object({ inputs: z.record(z.string(), z.unknown()) });

/**
 * Whether a bundle is newer than all it was made of: the inputs that esbuild listed, the configuration, and the lock file, because the
 * files that npm unpacks bear old dates.
 */
function isFresh(bundle: string, metafile: string, configFile: string): boolean {
  const root = dirname(configFile);
  try {
    const { inputs } = metafileSchema.parse(JSON.parse(readFileSync(metafile, 'utf8')));
    const madeAt = statSync(bundle).mtimeMs;
    return [basename(configFile), 'package-lock.json', ...Object.keys(inputs)].every((path) => statSync(join(root, path)).mtimeMs < madeAt);
  } catch {
    return false;
  }
}

async function runWrangler(args: readonly string[], cwd: string): Promise<void> {
  const wrangler = join(dirname(createRequire(import.meta.url).resolve('wrangler/package.json')), 'bin', 'wrangler.js');
  const env = { ...process.env, WRANGLER_SEND_METRICS: 'false', WRANGLER_HIDE_BANNER: 'true', NO_COLOR: '1' };
  await promisify(execFile)(process.execPath, [wrangler, ...args], { env, cwd }).catch((error: Error & { stdout?: string; stderr?: string }) => {
    throw new Error(`the Worker does not bundle:\n${error.stderr || error.stdout || error.message}`);
  });
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
