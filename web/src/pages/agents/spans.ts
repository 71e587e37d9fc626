// Pure: the quarters of an hour of the last day, with those in which an agent was not asked.
import type { HealthSpan } from '../../api/types';

const SPAN_MS = 15 * 60_000;
const SPANS = 96;

export interface Span {
  at: number;
  checks: number;
  failures: number;
  latencyMs: number | null;
  error: string | null;
}

export interface Day {
  spans: readonly Span[];
  checks: number;
  failures: number;
  /** The highest mean of a quarter of an hour, in ms; 0 if there is none. */
  slowest: number;
}

export function spansOf(items: readonly HealthSpan[], now: number): Day {
  const last = Math.floor(now / SPAN_MS) * SPAN_MS;
  const known = new Map(items.map((item) => [Date.parse(item.at), item]));
  const spans = Array.from({ length: SPANS }, (_, place): Span => {
    const at = last - (SPANS - 1 - place) * SPAN_MS;
    const item = known.get(at);
    return {
      at,
      checks: item?.checks ?? 0,
      failures: item?.failures ?? 0,
      latencyMs: item?.latency_ms ?? null,
      error: item?.error ?? null,
    };
  });
  return {
    spans,
    checks: spans.reduce((sum, span) => sum + span.checks, 0),
    failures: spans.reduce((sum, span) => sum + span.failures, 0),
    slowest: Math.max(0, ...spans.map((span) => span.latencyMs ?? 0)),
  };
}
