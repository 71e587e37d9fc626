// What the browser does for tasks: its sessions, live and afterwards.
import { queryOptions } from '@tanstack/react-query';
import { API_URL, ProblemError } from './client';

export interface BrowserStep {
  number: number;
  description: string;
  status: 'running' | 'passed' | 'failed';
  url: string | null;
  started_at: string;
  duration_ms: number | null;
  error: string | null;
  thumbnail: boolean;
}

export interface BrowserSession {
  id: string;
  task_id: string;
  step_id: string | null;
  status: 'open' | 'closed';
  held: boolean;
  title: string | null;
  url: string | null;
  viewport: { width: number; height: number };
  opened_at: string;
  closed_at: string | null;
  expires_at: string | null;
  steps: BrowserStep[];
  recording: { media_type: string; size_bytes: number } | null;
  trace: { media_type: string; size_bytes: number } | null;
}

const ROOT = `${API_URL}/api/browser`;

export const sessionUrl = (id: string, rest = ''): string => `${ROOT}/sessions/${encodeURIComponent(id)}${rest}`;

export const traceUrl = (id: string): string =>
  `${ROOT}/trace-viewer/index.html?trace=${encodeURIComponent(new URL(sessionUrl(id, '/trace'), window.location.href).href)}`;

export const browserSessionsQuery = queryOptions({
  queryKey: ['browser', 'list'],
  queryFn: ({ signal }) => call<{ items: BrowserSession[] }>(`${ROOT}/sessions`, { signal }),
  refetchInterval: 5_000,
});

export const browserSessionQuery = (id: string) =>
  queryOptions({
    queryKey: ['browser', 'one', id],
    queryFn: ({ signal }) => call<BrowserSession>(sessionUrl(id), { signal }),
    // Film and trace of a session that has just been closed are still being made.
    refetchInterval: ({ state }) => (state.data?.status === 'closed' && state.data.expires_at === null ? 1_000 : false),
  });

export async function takeOver(id: string): Promise<string> {
  return (await call<{ token: string }>(sessionUrl(id, '/control'), { method: 'POST' })).token;
}

export async function handBack(id: string, token: string): Promise<void> {
  await call(sessionUrl(id, '/control'), { method: 'DELETE', headers: { 'X-Control-Token': token } });
}

async function call<T>(url: string, init: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  const body: unknown = response.status === 204 ? null : await response.json().catch(() => ({}));
  if (!response.ok) throw new ProblemError(response.status, body as object);
  return body as T;
}
