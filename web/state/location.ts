import { signal } from '@preact/signals';
import { type Place, pathOf, readPath } from './path.ts';

export const place = signal<Place>(readPath(location.pathname));

export function navigate(to: Place, how: 'push' | 'replace' = 'push'): void {
  const path = pathOf(to);
  if (path === pathOf(place.peek())) return;
  if (how === 'push') history.pushState(null, '', path);
  else history.replaceState(null, '', path);
  place.value = to;
}

addEventListener('popstate', () => (place.value = readPath(location.pathname)));
