// Our own small icons: 20 × 20, drawn with the text's colour.
import type { ReactNode } from 'react';

const PATHS = {
  home: 'M3 9.5 10 4l7 5.5V16a1 1 0 0 1-1 1h-3.5v-5h-5v5H4a1 1 0 0 1-1-1Z',
  inbox: 'M3 11.5 5 4.5h10l2 7V16H3Zm0 0h4l1 2h4l1-2h4',
  tasks: 'M4 5.5h2M4 10h2M4 14.5h2M9 5.5h7.5M9 10h7.5M9 14.5h7.5',
  chat: 'M3.5 4.5h13v9H9l-3.5 3v-3h-2Z',
  agents:
    'M10 3v2.5M5 5.5h10a1 1 0 0 1 1 1V15a1 1 0 0 1-1 1H5a1 1 0 0 1-1-1V6.500a1 1 0 0 1 1-1ZM7.500 9.500v1.500M12.500 9.500v1.500M8 13.500h4M2 10v3M18 10v3',
  workflows: 'M3.500 3.500h4v4h-4ZM12.500 8h4v4h-4ZM3.500 12.500h4v4h-4ZM7.500 5.500H10V10h2.500M7.500 14.500H10V10',
  browser: 'M3 4h14v12H3ZM3 7.500h14M5.500 5.800h.01M7.500 5.800h.01',
  insights: 'M4 16V9.500M8 16V4.500M12 16v-5M16 16V7',
  settings: 'M4 6h6M14 6h2M4 14h2M10 14h6M10 6a2 2 0 1 0 4 0 2 2 0 1 0-4 0M6 14a2 2 0 1 0 4 0 2 2 0 1 0-4 0',
  plus: 'M10 4v12M4 10h12',
  search: 'M9 3.500a5.500 5.500 0 1 0 0 11 5.500 5.500 0 1 0 0-11M13 13l4 4',
  stop: 'M5.500 5.500h9v9h-9Z',
  retry: 'M15.500 7A6.500 6.500 0 1 0 16.500 10M16 3.500V7.500h-4',
  fork: 'M6 3v5c0 2 1.500 2.500 4 2.500s4 .5 4 2.500v3.500M6 3 3.500 5.500M6 3l2.500 2.500M6 8v8.500',
  send: 'M10 16V4.500M5 9l5-5 5 5',
  copy: 'M7 7h9v9H7ZM13 7V4H4v9h3',
  check: 'M4 10.500 8.200 14.500 16 6',
  cross: 'M5 5l10 10M15 5 5 15',
  clock: 'M10 3a7 7 0 1 0 0 14 7 7 0 1 0 0-14M10 6v4l2.500 2',
  hand: 'M6 11V6.500a1 1 0 0 1 2 0V10 4.500a1 1 0 0 1 2 0V10 5.500a1 1 0 0 1 2 0V10 7.500a1 1 0 0 1 2 0V13a4 4 0 0 1-4 4H9.500C7.500 17 6.500 16 5.500 14L4 11.500c-.6-1.200 1-1.800 2-.5Z',
  skip: 'M4.500 5 11 10l-6.500 5ZM14.500 5v10',
  dash: 'M5 10h10',
  dots: 'M5 10h.01M10 10h.01M15 10h.01',
  file: 'M5 3h6.500L15 6.500V17H5ZM11 3v4h4',
  clip: 'M14.500 9 9 14.500a3 3 0 0 1-4.200-4.200l6-6a2 2 0 0 1 3 3l-6 6a1 1 0 0 1-1.400-1.400L12 6.500',
  link: 'M8.500 11.500a3 3 0 0 0 4.200 0l2.500-2.500A3 3 0 0 0 11 4.800L10 5.800M11.500 8.500a3 3 0 0 0-4.200 0L4.800 11A3 3 0 0 0 9 15.200l1-1',
  sun: 'M10 6.500a3.500 3.500 0 1 0 0 7 3.500 3.500 0 1 0 0-7M10 2v1.500M10 16.500V18M2 10h1.500M16.500 10H18M4.300 4.300l1.100 1.100M14.600 14.600l1.100 1.100M4.300 15.700l1.100-1.100M14.600 5.400l1.100-1.100',
  moon: 'M16 12.500A6.500 6.500 0 0 1 7.500 4 6.500 6.500 0 1 0 16 12.500Z',
  menu: 'M3 6h14M3 10h14M3 14h14',
  chevron: 'M7 4.500 12.500 10 7 15.500',
  down: 'M5 8l5 5 5-5',
  shield: 'M10 3l6 2v4.500c0 3.500-2.500 6-6 7.500-3.500-1.500-6-4-6-7.500V5Z',
  bolt: 'M11 2.500 4.500 11.500H9.500L9 17.500l6.500-9H10.500Z',
  eye: 'M2.500 10S5.500 5 10 5s7.500 5 7.500 5-3 5-7.500 5-7.500-5-7.500-5ZM10 8a2 2 0 1 0 0 4 2 2 0 1 0 0-4',
  warning: 'M10 3.500 17.500 16.500h-15ZM10 8.500v3.500M10 14.300h.01',
  download: 'M10 3.500v9M6 9l4 4 4-4M4 16.500h12',
  trash: 'M4 6h12M8 6V4h4v2M5.500 6l.7 11h7.600l.7-11M8.500 9v5M11.500 9v5',
  edit: 'M4 16l.8-3.500L13 4.300l2.700 2.700L7.500 15.200Z',
  graph: 'M8 3.500h4v3.500H8ZM3.500 13h4v3.500h-4ZM12.500 13h4v3.500h-4ZM10 7v3M5.500 13v-3h9v3',
  timeline: 'M3 5.500h7M6 10h8M10 14.500h7',
  code: 'M7 6 3 10l4 4M13 6l4 4-4 4',
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 18 }: { name: IconName; size?: number }): ReactNode {
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 20 20"
      fill="none"
      stroke="currentColor"
      strokeWidth={1.5}
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
      style={{ flex: 'none' }}
    >
      <path d={PATHS[name]} />
    </svg>
  );
}
