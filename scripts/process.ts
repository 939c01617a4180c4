import { spawn } from 'node:child_process';

/** Runs a program to its end with the project's own binaries first on the PATH. Output goes to the terminal, or is returned when `capture` is set. */
export async function runProgram(
  command: string,
  args: readonly string[],
  options: { capture?: boolean; env?: Record<string, string>; cwd?: string } = {},
): Promise<{ code: number; output: string }> {
  const child = spawn(command, args, {
    stdio: ['ignore', options.capture ? 'pipe' : 'inherit', options.capture ? 'pipe' : 'inherit'],
    ...(options.cwd !== undefined && { cwd: options.cwd }),
    env: { ...process.env, ...options.env, PATH: `${process.cwd()}/node_modules/.bin:${process.env['PATH'] ?? ''}` },
  });
  const chunks: string[] = [];
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => chunks.push(chunk.toString()));
  const code = await new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (exit) => resolve(exit ?? 1));
  });
  return { code, output: chunks.join('') };
}
