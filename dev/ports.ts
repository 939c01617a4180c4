import { createServer } from 'node:net';

/** Binds `port` (0: any) on loopback for a moment. Resolves to the port, or null if it is taken. */
function tryPort(port: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) => (error.code === 'EADDRINUSE' || error.code === 'EACCES' ? resolve(null) : reject(error)));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address ? address.port : null));
    });
  });
}

/** A port nobody listens on at loopback. Two calls may return the same one: bind it soon. */
export async function freePort(): Promise<number> {
  const port = await tryPort(0);
  if (port === null) throw new Error('no free port on loopback');
  return port;
}

/** `preferred` or, if it is taken, the next free port of the 20 above it, else any. */
export async function portNear(preferred: number): Promise<number> {
  for (let port = preferred; port <= preferred + 20 && port < 65_536; port += 1) {
    if ((await tryPort(port)) !== null) return port;
  }
  return freePort();
}

export const isFree = async (port: number): Promise<boolean> => (await tryPort(port)) !== null;
