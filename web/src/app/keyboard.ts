// Keys that work everywhere, except where one types. They can be switched off.
import { useNavigate } from '@tanstack/react-router';
import { useEffect } from 'react';

export const GO = {
  h: '/',
  i: '/inbox',
  t: '/tasks',
  c: '/chat',
  a: '/agents',
  w: '/workflows',
  b: '/browser',
  u: '/insights',
  s: '/settings',
} as const;

const SWITCH = 'af-keys';
const SEQUENCE_MS = 1200;

export function keysAreOn(): boolean {
  return localStorage.getItem(SWITCH) !== 'off';
}

export function switchKeys(on: boolean): void {
  localStorage.setItem(SWITCH, on ? 'on' : 'off');
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || ['INPUT', 'TEXTAREA', 'SELECT'].includes(target.tagName))
  );
}

/** Keys that work on every page. Who goes on typing where a field is gone from the page does not mean them. */
export function useKeys(open: (overlay: 'palette' | 'keys') => void): void {
  const navigate = useNavigate();
  useEffect(() => {
    let pressedG = 0;
    let typed: { field: Element; path: string } | null = null;
    const onKey = (event: KeyboardEvent): void => {
      if (event.defaultPrevented) return; // it went to a page that was taken over
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault();
        open('palette');
        return;
      }
      const path = window.location.pathname;
      if (event.target === document.body && typed?.path === path && !typed.field.isConnected) return;
      typed = isTyping(event.target) && event.key.length === 1 ? { field: event.target as Element, path } : null;
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target) || !keysAreOn()) return;
      if (document.querySelector('[role="dialog"]')) return;
      const isSecond = Date.now() - pressedG < SEQUENCE_MS;
      pressedG = 0;
      const to = GO[event.key as keyof typeof GO];
      if (isSecond && to) {
        event.preventDefault();
        void navigate({ to });
      } else if (event.key === 'g') {
        pressedG = Date.now();
      } else if (event.key === '?') {
        open('keys');
      } else if (event.key === 'c') {
        event.preventDefault();
        void navigate({ to: '/' }).then(() => document.querySelector<HTMLElement>('[data-composer]')?.focus());
      } else if (event.key === '/') {
        event.preventDefault();
        const field = document.querySelector<HTMLElement>('[data-search]');
        if (field) field.focus();
        else open('palette');
      }
    };
    const onPointer = (): void => {
      typed = null;
    };
    document.addEventListener('keydown', onKey);
    document.addEventListener('pointerdown', onPointer);
    return () => {
      document.removeEventListener('keydown', onKey);
      document.removeEventListener('pointerdown', onPointer);
    };
  }, [navigate, open]);
}
