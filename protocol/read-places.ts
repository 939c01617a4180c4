/**
 * How far a user has read a channel. `generation` rises each time they mark something as unread, which is what takes `pos` back; within one it only rises. So whatever
 * was said of an earlier generation is overtaken, however late it comes. This file imports nothing, so that clients may bundle it.
 */
export interface ReadPlace {
  readonly generation: number;
  readonly pos: number;
}

export const isLaterPlace = (a: ReadPlace, b: ReadPlace): boolean => a.generation > b.generation || (a.generation === b.generation && a.pos > b.pos);

export const laterPlace = (a: ReadPlace, b: ReadPlace): ReadPlace => (isLaterPlace(a, b) ? a : b);

/** On the wire a generation of 0 is left out: nothing was ever marked as unread. */
export const generationField = (generation: number): { generation?: number } => (generation === 0 ? {} : { generation });
