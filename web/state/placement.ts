/** Of a box, in CSS pixels from the upper left corner of the viewport. */
interface Box {
  readonly top: number;
  readonly bottom: number;
  readonly right: number;
}

interface Size {
  readonly width: number;
  readonly height: number;
}

const GAP_PX = 4;
const EDGE_PX = 8;

/** Where something of `size` goes beside `anchor`: below it, or above where there is more room, flush right, and always in the viewport. */
export function besideAnchor(anchor: Box, size: Size, viewport: Size): { left: number; top: number } {
  const below = anchor.bottom + GAP_PX;
  const above = anchor.top - GAP_PX - size.height;
  const fitsBelow = below + size.height <= viewport.height - EDGE_PX;
  const top = fitsBelow || above < EDGE_PX ? below : above;
  return { left: clamp(anchor.right - size.width, viewport.width - size.width), top: clamp(top, viewport.height - size.height) };
}

const clamp = (at: number, most: number): number => Math.max(EDGE_PX, Math.min(at, most - EDGE_PX));
