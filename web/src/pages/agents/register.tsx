// Registering an agent: its address, a look at what is there, then it is stored. A card can be pasted, too.
import { Button, Group, SegmentedControl, Stack, Textarea, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { getRouteApi, useNavigate } from '@tanstack/react-router';
import type { FormEvent, ReactNode } from 'react';
import { registerAgent } from '../../api/agents';
import { api, ProblemError, unwrap } from '../../api/client';
import type { components } from '../../api/schema';
import type { AgentRegistration, Finding } from '../../api/types';
import { JsonCode } from '../../ui/code';
import { keepDraft, useDraft } from '../../ui/drafts';
import { Problem } from '../../ui/feedback';
import { Page } from '../../ui/page';
import { firstLine, plain } from '../../ui/text';
import { HeaderFields, type Headers, toHeaders } from './credentials';
import { Findings, Grade } from './findings';

type Preview = components['schemas']['Preview'];

interface Wanted {
  by: 'address' | 'card';
  url: string;
  card: string;
  name: string;
}

const NOTHING: Wanted = { by: 'address', url: '', card: '', name: '' };
const NO_HEADERS: Headers = [];

const route = getRouteApi('/agents/new');

export function Register(): ReactNode {
  const { url: given } = route.useSearch();
  const navigate = useNavigate();
  const draft = `agent ${given ?? ''}`;
  const secret = `secrets of ${draft}`;
  const wanted = useDraft<Wanted>(draft) ?? { ...NOTHING, url: given ?? '' };
  const { by, url, card, name } = wanted;
  const headers = useDraft<Headers>(secret) ?? NO_HEADERS;
  const look = useMutation({
    mutationFn: (body: AgentRegistration) => unwrap<Preview>(api.POST('/api/agents/preview', { body })),
  });
  const register = useMutation({
    mutationFn: registerAgent,
    onSuccess: (agent) => {
      keepDraft(draft, undefined);
      keepDraft(secret, undefined);
      void navigate({ to: '/agents/$agentId', params: { agentId: agent.id } });
    },
  });
  const lookAgain = (): void => {
    look.reset();
    register.reset();
  };
  const edit = (changed: Partial<Wanted>): void => keepDraft(draft, { ...wanted, ...changed });
  const change = (changed: Partial<Wanted>): void => {
    edit(changed);
    lookAgain();
  };
  const body = (): AgentRegistration => {
    const what = by === 'address' ? { endpoint: url.trim() } : { card: JSON.parse(card) as Record<string, unknown> };
    return {
      ...what,
      ...(name && { name }),
      ...(headers.length && { headers: toHeaders(headers) }),
    } as AgentRegistration;
  };
  const isCardWrong = by === 'card' && card.trim() !== '' && !isJsonObject(card);
  const canLook = by === 'address' ? url.trim() !== '' : card.trim() !== '' && !isCardWrong;
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (!canLook) return;
    if (look.data) register.mutate(body());
    else look.mutate(body());
  };
  return (
    <Page title="Register an agent">
      <form onSubmit={onSubmit} style={{ maxWidth: 720 }}>
        <Stack gap="md">
          <SegmentedControl
            aria-label="What you have"
            style={{ alignSelf: 'flex-start' }}
            data={[
              { value: 'address', label: 'Its address' },
              { value: 'card', label: 'Its card' },
            ]}
            value={by}
            onChange={(next) => change({ by: next as Wanted['by'] })}
          />
          {by === 'address' ? (
            <TextInput
              label="Address"
              description="The agent's base URL, or that of its card."
              placeholder="https://agent.example.org"
              value={url}
              onChange={(event) => change({ url: event.currentTarget.value })}
            />
          ) : (
            <Textarea
              label="Agent card"
              description="The JSON that the agent would show at /.well-known/agent-card.json."
              autosize
              minRows={8}
              maxRows={24}
              styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)', fontSize: 13 } }}
              error={isCardWrong && 'This is not a JSON object.'}
              value={card}
              onChange={(event) => change({ card: event.currentTarget.value })}
            />
          )}
          <TextInput
            label="Name (optional)"
            description="Instead of the one that its card gives."
            value={name}
            onChange={(event) => edit({ name: event.currentTarget.value })}
          />
          <HeaderFields headers={headers} onChange={(next) => keepDraft(secret, next, false)} />
          <Failed error={look.error ?? register.error} />
          {look.data && <Found preview={look.data} />}
          <Group>
            <Button type="submit" loading={look.isPending || register.isPending} disabled={!canLook}>
              {look.data ? 'Register' : 'Look at it'}
            </Button>
            {look.data && (
              <Button variant="default" onClick={lookAgain}>
                Look again
              </Button>
            )}
          </Group>
        </Stack>
      </form>
    </Page>
  );
}

function Failed({ error }: { error: Error | null }): ReactNode {
  if (!error) return null;
  const found = error instanceof ProblemError && Array.isArray(error.problem.findings) ? error.problem.findings : [];
  return (
    <>
      <Problem error={error} />
      {found.length > 0 && <Findings findings={found as Finding[]} />}
    </>
  );
}

function Found({ preview }: { preview: Preview }): ReactNode {
  const skills = Array.isArray(preview.card.skills) ? (preview.card.skills as { id?: unknown; name?: unknown }[]) : [];
  return (
    <section className="card" style={{ padding: 16 }} aria-label="What was found">
      <h2 className="wrap" style={{ marginTop: 0, fontSize: 16 }}>
        {firstLine(preview.name, 200)}
      </h2>
      <p className="dim wrap">{firstLine(preview.description, 600)}</p>
      <p>
        {skills.slice(0, 30).map((skill) => (
          <span key={String(skill.id)} className="tag" style={{ marginRight: 6 }}>
            {plain(String(skill.id))}
          </span>
        ))}
      </p>
      <Grade verification={preview.verification} />
      <h3 className="section-title" style={{ marginTop: 16 }}>
        Findings
      </h3>
      <Findings findings={preview.verification.findings} />
      <details style={{ marginTop: 12 }}>
        <summary>The card as it is</summary>
        <JsonCode value={preview.card} label="Agent card" />
      </details>
    </section>
  );
}

function isJsonObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
