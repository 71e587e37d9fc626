// Pure: how far the steps of a plan are, and what depends on what.
import type { LiveStep } from '../../live/fold';

/** What a step waits for: "waits for 2 of 3". Null if it does not wait for others. */
export function waitsFor(step: LiveStep, steps: ReadonlyMap<string, LiveStep>): string | null {
  if (step.status !== 'pending') return null;
  const before = step.planned.depends_on.filter((id) => steps.has(id));
  const open = before.filter((id) => steps.get(id)?.status !== 'completed');
  return open.length === 0 ? null : `waits for ${open.length} of ${before.length}`;
}

export interface Progress {
  completed: number;
  failed: number;
  total: number;
}

export function progressOf(steps: ReadonlyMap<string, LiveStep>): Progress {
  let completed = 0;
  let failed = 0;
  for (const { status } of steps.values()) {
    if (status === 'completed') completed += 1;
    if (status === 'failed') failed += 1;
  }
  return { completed, failed, total: steps.size };
}

/** The step and all that need it, directly or not. */
export function dependents(steps: readonly { id: string; depends_on: string[] }[], from: string): Set<string> {
  const found = new Set([from]);
  for (let grew = true; grew; ) {
    grew = false;
    for (const step of steps) {
      if (!found.has(step.id) && step.depends_on.some((id) => found.has(id))) {
        found.add(step.id);
        grew = true;
      }
    }
  }
  return found;
}
