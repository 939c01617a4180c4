/** A call of another object has a limit, so that one that hangs keeps nobody awake. Rejects when it is over; `ms` in milliseconds. */
export async function within<T>(ms: number, call: Promise<T>): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([call, late]);
  } finally {
    clearTimeout(timer);
  }
}
