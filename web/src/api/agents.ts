// Registered agents.
import { queryOptions } from '@tanstack/react-query';
import { api, every, unwrap } from './client';
import { queryClient } from './query';
import type { Agent, AgentRegistration, Health } from './types';

const PAGE = 200;

export const agentsQuery = (q?: string) =>
  queryOptions({
    queryKey: ['agents', 'list', q ?? ''],
    queryFn: async ({ signal }) => ({
      items: await every<Agent>((cursor) =>
        unwrap(api.GET('/api/agents', { params: { query: { limit: PAGE, q: q || undefined, cursor } }, signal })),
      ),
    }),
    // A page every 15 s, however many there are.
    refetchInterval: ({ state }) => 15_000 * Math.max(1, Math.ceil((state.data?.items.length ?? 0) / PAGE)),
  });

export const agentQuery = (id: string) =>
  queryOptions({
    queryKey: ['agents', 'one', id],
    queryFn: ({ signal }) =>
      unwrap<Agent>(api.GET('/api/agents/{agent_id}', { params: { path: { agent_id: id } }, signal })),
    refetchInterval: 15_000,
  });

export const healthQuery = (id: string) =>
  queryOptions({
    queryKey: ['agents', 'health', id],
    queryFn: ({ signal }) =>
      unwrap(api.GET('/api/agents/{agent_id}/health', { params: { path: { agent_id: id } }, signal })),
    refetchInterval: 60_000,
  });

export function registerAgent(registration: AgentRegistration): Promise<Agent> {
  return changed(unwrap(api.POST('/api/agents', { body: registration })));
}

export function removeAgent(id: string): Promise<void> {
  return changed(unwrap(api.DELETE('/api/agents/{agent_id}', { params: { path: { agent_id: id } } })) as Promise<void>);
}

export function switchAgent(id: string, status: 'active' | 'inactive'): Promise<Agent> {
  return changed(unwrap(api.PATCH('/api/agents/{agent_id}', { params: { path: { agent_id: id } }, body: { status } })));
}

export function setCredentials(id: string, headers: Record<string, string>): Promise<Agent> {
  return changed(
    unwrap(api.PATCH('/api/agents/{agent_id}', { params: { path: { agent_id: id } }, body: { headers } })),
  );
}

export type AgentAction = 'refresh' | 'suspend' | 'resume';

export function actOnAgent(id: string, action: AgentAction): Promise<Agent> {
  const params = { path: { agent_id: id } };
  switch (action) {
    case 'refresh':
      return changed(unwrap(api.POST('/api/agents/{agent_id}/refresh', { params })));
    case 'suspend':
      return changed(unwrap(api.POST('/api/agents/{agent_id}/suspend', { params })));
    case 'resume':
      return changed(unwrap(api.POST('/api/agents/{agent_id}/resume', { params })));
  }
}

/** Accepts the card that the agent was shown with; refused if another one waits by now. */
export function acceptAgent(agent: Agent): Promise<Agent> {
  const params = { path: { agent_id: agent.id } };
  const body = { card_hash: (agent.quarantine ?? agent).card_hash };
  return changed(unwrap(api.POST('/api/agents/{agent_id}/accept', { params, body })));
}

export function checkAgent(id: string): Promise<Health> {
  return changed(unwrap(api.POST('/api/agents/{agent_id}/health', { params: { path: { agent_id: id } } })));
}

async function changed<T>(call: Promise<T>): Promise<T> {
  try {
    return await call;
  } finally {
    void queryClient.invalidateQueries({ queryKey: ['agents'] }); // refused, too: what is shown may be old
  }
}
