/**
 * What becomes of a draft that was written on two devices since they agreed on `base`, so that nothing anybody wrote is lost: who wrote nothing takes what the other wrote; what the one has within the other
 * is there already; else both stay, one's own last, where the caret is.
 */
export function mergeDrafts(mine: string, theirs: string, base: string): string {
  if (mine === base) return theirs;
  if (theirs === base || mine.includes(theirs)) return mine;
  return theirs.includes(mine) ? theirs : `${theirs}\n${mine}`;
}
