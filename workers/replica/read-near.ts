import type { Context } from 'hono';
import { CONSISTENCY_HEADER } from '../../protocol/consistency.ts';
import type { AppEnv } from '../env.ts';
import { withPrimary, withReplica } from '../postgres.ts';
import type { NearRead, ReplicaReads } from './replica-reads.ts';
import { decodeToken } from './token.ts';

/** A read of this request, from the replica where that is near enough, else from the primary. */
export function readNear<T>(c: Context<AppEnv>, replica: ReplicaReads, near: NearRead<T>): Promise<T> {
  c.header('Vary', CONSISTENCY_HEADER, { append: true });
  const { POSTGRES_REPLICA: server } = c.env;
  return replica.read(
    {
      primary: (work) => withPrimary(c, work),
      replica: server === undefined ? null : (work) => withReplica(c, server, work),
      wanted: decodeToken(c.req.raw.headers.get(CONSISTENCY_HEADER)),
      later: (work) => c.executionCtx.waitUntil(work),
    },
    near,
  );
}
