/** Does `work` for each item, at most `most` at a time; one that fails stops none of the others. Outcomes are in the order of the items. */
export async function settleAll<T, R>(items: readonly T[], most: number, work: (item: T) => Promise<R>): Promise<PromiseSettledResult<R>[]> {
  const settled: PromiseSettledResult<R>[] = [];
  for (let start = 0; start < items.length; start += most) {
    settled.push(...(await Promise.allSettled(items.slice(start, start + most).map((item) => work(item)))));
  }
  return settled;
}
