import { spawn, type ChildProcess } from 'node:child_process';

/**
 * Ends children that outlive this process. A shell reads the list of them, a line a change; when its input ends, because this process
 * is gone for whatever reason (kill -9 included), it ends what the last line names: politely first, for good 8 seconds later.
 */
const SCRIPT = `
trap '' INT TERM HUP
last=''
while read -r line; do last=$line; done
each() { for pid in $last; do kill "-$1" -- "-$pid" 2>/dev/null || kill "-$1" "$pid" 2>/dev/null; done; }
[ -n "$last" ] && each TERM && sleep 8 && each KILL
exit 0`;

const guarded = new Set<number>();
let shell: ChildProcess | undefined;

function startShell(): ChildProcess {
  const child = spawn('/bin/sh', ['-c', SCRIPT], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] });
  child.on('error', () => {});
  child.stdin?.on('error', () => {});
  child.unref();
  if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  return child;
}

const tell = (): void => {
  shell ??= startShell();
  shell.stdin?.write(`${[...guarded].join(' ')}\n`);
};

/** Has `pid` (and its process group, if it leads one) ended when this process dies. Returns the release, to be called once it has ended. */
export function guard(pid: number): () => void {
  guarded.add(pid);
  tell();
  return () => {
    if (guarded.delete(pid)) tell();
  };
}

/** Ends all that is guarded, at once and without asking. */
export function killGuarded(): void {
  for (const pid of guarded) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // Gone already.
    }
  }
}
