// What is long is drawn over several frames.
import { useEffect, useState } from 'react';

/** Returns the first `atOnce` of all, and with each frame half as many more: what is long never holds the page up. */
export function useShare<T>(all: T[], atOnce: number): T[] {
  const [share, setShare] = useState(atOnce);
  const isWhole = share >= all.length;
  useEffect(() => {
    if (isWhole) return;
    const frame = requestAnimationFrame(() => setShare(share + atOnce / 2));
    return () => cancelAnimationFrame(frame);
  }, [share, isWhole, atOnce]);
  return isWhole ? all : all.slice(0, share);
}
