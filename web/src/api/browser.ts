// What the browser does for tasks: its sessions, live and afterwards.
import { queryOptions } from '@tanstack/react-query';
import { API_URL, api, unwrap } from './client';
import type { BrowserSession } from './types';

export const sessionUrl = (id: string, rest = ''): string =>
  `${API_URL}/api/browser/sessions/${encodeURIComponent(id)}${rest}`;

export const traceUrl = (id: string): string =>
  `${API_URL}/api/browser/trace-viewer/index.html?trace=${encodeURIComponent(new URL(sessionUrl(id, '/trace'), window.location.href).href)}`;

export const browserSessionsQuery = queryOptions({
  queryKey: ['browser', 'list'],
  queryFn: ({ signal }) => unwrap(api.GET('/api/browser/sessions', { signal })),
  refetchInterval: 5_000,
});

export const browserSessionQuery = (id: string) =>
  queryOptions({
    queryKey: ['browser', 'one', id],
    queryFn: ({ signal }) =>
      unwrap<BrowserSession>(
        api.GET('/api/browser/sessions/{session_id}', { params: { path: { session_id: id } }, signal }),
      ),
    // Film and trace of a session that has just been closed are still being made.
    refetchInterval: ({ state }) => (state.data?.status === 'closed' && state.data.expires_at === null ? 1_000 : false),
  });

export async function takeOver(id: string): Promise<string> {
  const call = api.POST('/api/browser/sessions/{session_id}/control', { params: { path: { session_id: id } } });
  return (await unwrap(call)).token;
}

export async function handBack(id: string, token: string): Promise<void> {
  await unwrap(
    api.DELETE('/api/browser/sessions/{session_id}/control', {
      params: { path: { session_id: id }, header: { 'x-control-token': token } },
    }),
  );
}
