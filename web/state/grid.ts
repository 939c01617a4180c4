/** Where a key leads in a grid of `count` cells in rows of `columns`, from cell `at`; null where it leads nowhere. */
export function gridStep(key: string, at: number, count: number, columns: number): number | null {
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, ArrowUp: at - columns, ArrowDown: at + columns, Home: 0, End: count - 1 }[key];
  return to === undefined || to < 0 || to >= count || to === at ? null : to;
}
