// Times that go on by themselves: one clock for all of them.
import { type ReactNode, useSyncExternalStore } from 'react';
import { ago, duration } from './text';

// Made once: `toLocaleString` makes one for each call.
const WHOLE = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });

let now = Date.now();
let timer: ReturnType<typeof setInterval> | undefined;
const listeners = new Set<() => void>();

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    for (const each of listeners) each();
  }, 1000);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) {
      clearInterval(timer);
      timer = undefined;
    }
  };
}

/** While nothing shows a time the clock stands; then the first that shows one sets it. */
function current(): number {
  if (timer === undefined && Date.now() - now >= 1000) now = Date.now();
  return now;
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, current);
}

export function Ago({ at }: { at: string }): ReactNode {
  const clock = useNow();
  return (
    <time dateTime={at} title={WHOLE.format(new Date(at))}>
      {ago(at, clock)}
    </time>
  );
}

/** How long something took, or takes already. */
export function Took({ from, to }: { from: string | null; to: string | null }): ReactNode {
  if (from === null) return null;
  return to === null ? <Running from={from} /> : duration(Date.parse(to) - Date.parse(from));
}

function Running({ from }: { from: string }): ReactNode {
  return duration(Math.floor((useNow() - Date.parse(from)) / 1000) * 1000);
}
