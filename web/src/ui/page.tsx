// The frame of a page: its title on the screen and in the tab, what can be done, its content.
import { Title } from '@mantine/core';
import { type ReactNode, useEffect, useState } from 'react';

let waiting = 0;
let current = '';

function show(): void {
  const prefix = waiting > 0 ? `(${waiting}) ` : '';
  document.title = `${prefix}${current ? `${current} · ` : ''}Agent Federation`;
}

export function usePageTitle(title: string): void {
  useEffect(() => {
    current = title;
    show();
  }, [title]);
}

/** Gives the focus back, when what asks for this is gone, to what had it before. */
export function useFocusBack(): void {
  const [before] = useState(() => document.activeElement);
  useEffect(
    () => () => {
      if (before instanceof HTMLElement) before.focus({ preventScroll: true });
    },
    [before],
  );
}

/** Says in the tab's title how many questions wait. */
export function showWaiting(count: number): void {
  waiting = count;
  show();
}

export function Page(props: { title: string; actions?: ReactNode; children: ReactNode; wide?: boolean }): ReactNode {
  usePageTitle(props.title);
  return (
    <div className="page">
      <div className="page-inner" style={props.wide ? { maxWidth: 'none' } : undefined}>
        <div className="page-head">
          <Title order={1}>{props.title}</Title>
          <div className="grow" />
          {props.actions}
        </div>
        {props.children}
      </div>
    </div>
  );
}
