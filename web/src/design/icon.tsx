/** The drawings, each on a grid of 24 by 24, as strokes of the text's colour. */
const drawings = {
  add: 'M12 5v14M5 12h14',
  attach: 'M20 11.5 12.4 19a5 5 0 0 1-7-7l8-8a3.3 3.3 0 0 1 4.7 4.7l-8 7.9a1.7 1.7 0 0 1-2.4-2.4L14.6 7.3',
  check: 'm5 12.5 4.5 4.500L19 7.5',
  'chevron-down': 'm6 9 6 6 6-6',
  'chevron-left': 'm15 6-6 6 6 6',
  'chevron-right': 'm9 6 6 6-6 6',
  close: 'm6 6 12 12M18 6 6 18',
  copy: 'M9 9h10v11H9zM15 5.500V4H5v11h1.5',
  delete: 'M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5M14 11v5',
  edit: 'M4 20h4L19 9a2.1 2.1 0 0 0-4-4L4 16zM13 7l4 4',
  fork: 'M7 4v16M7 13c0-4 10-2 10-9M17 4v1M5 4h4M15 4h4M5 20h4',
  inspect: 'M4 6h10M4 12h16M4 18h7M18 4v4M14 16v4',
  menu: 'M4 7h16M4 12h16M4 17h16',
  minus: 'M5 12h14',
  moon: 'M20 14.500A8.5 8.5 0 0 1 9.5 4 8.5 8.5 0 1 0 20 14.500z',
  more: 'M5 12h.01M12 12h.01M19 12h.01',
  pause: 'M8 5v14M16 5v14',
  play: 'M7 5v14l12-7z',
  queue: 'M12 7v5l3 2M12 3a9 9 0 1 1 0 18 9 9 0 0 1 0-18z',
  retry: 'M20 12a8 8 0 1 1-2.5-5.800M20 4v4h-4',
  search: 'M11 4a7 7 0 1 1 0 14 7 7 0 0 1 0-14zM16 16l4 4',
  send: 'M12 19V5M6 11l6-6 6 6',
  sidebar: 'M4 5h16v14H4zM9.5 5v14',
  spark: 'M12 3c.6 5 3.5 8.4 9 9-5.5.6-8.4 4-9 9-.6-5-3.5-8.4-9-9 5.5-.6 8.4-4 9-9z',
  stop: 'M7 7h10v10H7z',
  sun: 'M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.400M17.6 17.6 19 19M5 19l1.4-1.400M17.6 6.4 19 5',
  system: 'M4 5h16v11H4zM9 20h6M12 16v4',
  think: 'M9 18h6M10 21h4M12 3a6 6 0 0 0-3.5 10.900c.6.5.9 1.2.9 1.900h5.200c0-.7.3-1.4.9-1.900A6 6 0 0 0 12 3z',
  tool: 'M14.5 6.500a4 4 0 0 1 5-1.200l-2.7 2.7 1.2 2.2 2.2.3 1.3-1.300a4 4 0 0 1-5.4 4.300L9 21l-4-4 7.5-7a4 4 0 0 1 2-3.500z',
  warning: 'M12 4 2.5 20h19zM12 10v4.500M12 17.500h.01',
} as const

export type IconName = keyof typeof drawings
export const iconNames = Object.keys(drawings) as IconName[] // they are its keys

/** A drawing beside words, or in a button that has a name: it says nothing by itself. */
export function Icon({ name, size = 18 }: { readonly name: IconName; readonly size?: number }) {
  return (
    <svg
      aria-hidden
      width={size}
      height={size}
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth={name === 'more' ? 3 : 1.8}
      strokeLinecap="round"
      strokeLinejoin="round"
      className="shrink-0"
    >
      <path d={drawings[name]} />
    </svg>
  )
}
