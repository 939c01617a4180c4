/** Outlines on a 24-unit grid, drawn with the colour of the text around them. */
const PATHS = {
  close: 'M6 6l12 12M18 6L6 18',
  menu: 'M4 7h16M4 12h16M4 17h16',
  search: 'M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14zM16 16l4.5 4.5',
  plus: 'M12 5v14M5 12h14',
  smile: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM8.5 14.5a4.5 4.5 0 0 0 7 0M9 9.5v.5M15 9.5v.5',
  link: 'M10 14a4 4 0 0 0 5.700 0l3-3a4 4 0 0 0-5.700-5.700l-1 1M14 10a4 4 0 0 0-5.700 0l-3 3a4 4 0 0 0 5.700 5.700l1-1',
  reply: 'M4 5h16v11H11l-5 4v-4H4z',
  edit: 'M4 20l1-4L16 5l3 3L8 19zM14 7l3 3',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5M13.5 11v5',
  attach: 'M20 11.500l-8 8a5 5 0 0 1-7-7l8.500-8.500a3.300 3.300 0 0 1 4.700 4.700L9.700 17.200a1.600 1.600 0 0 1-2.300-2.300l7.600-7.600',
  file: 'M7 3h7l4 4v14H7zM14 3v4h4',
  send: 'M5 12l-1.5-7.5L21 12 3.500 19.500zM5 12h8',
  down: 'M12 5v13M6 12.500l6 6 6-6',
  lock: 'M6 11h12v9H6zM9 11V8a3 3 0 0 1 6 0v3',
  leave: 'M14 4H5v16h9M10 12h10M16.500 8l4 4-4 4',
  power: 'M12 4v8M7.500 6.500a8 8 0 1 0 9 0',
  people: 'M9 5a3.500 3.500 0 1 0 0 7 3.500 3.500 0 0 0 0-7zM2.500 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 5.500a3.500 3.500 0 0 1 0 6.500M18 14.500c2.200.7 3.500 2.500 3.500 5.500',
  clock: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM12 7.500v5l3.500 2',
  compass: 'M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18zM15.500 8.500l-2 5-5 2 2-5z',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 20.500a2.200 2.200 0 0 0 4 0',
  bellOff: 'M8 6.500A6 6 0 0 1 18 11v4M6 10v6l-2 2h13M10 20.500a2.200 2.200 0 0 0 4 0M4 4l16 16',
  check: 'M5 12.500l4.500 4.500L19 7.500',
  pin: 'M9 4h6l-1 6 3 3v2H7v-2l3-3zM12 15v6',
  bookmark: 'M7 4h10v16l-5-4-5 4z',
  bookmarked: 'M7 4h10v16l-5-4-5 4zM9.500 10l2 2 3.500-3.500',
  flag: 'M6 21V4h12l-2.500 4.500L18 13H6',
  settings: 'M4 7h9M17 7h3M15 5v4M4 12h3M11 12h9M9 10v4M4 17h9M17 17h3M15 15v4',
  moon: 'M19.500 14.500A8 8 0 0 1 9.500 4.500a8 8 0 1 0 10 10z',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[name]} />
    </svg>
  );
}
