// One agent: how it is, what it can do, its card, trying it by hand, its credentials.
import { Button, Group, Tabs } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link, useNavigate } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import {
  type AgentAction,
  acceptAgent,
  actOnAgent,
  agentQuery,
  checkAgent,
  removeAgent,
  switchAgent,
} from '../../api/agents';
import { tasksQuery } from '../../api/tasks';
import type { Agent } from '../../api/types';
import type { AgentTab } from '../../app/tabs';
import { isOver } from '../../live/fold';
import { JsonCode } from '../../ui/code';
import { Confirm } from '../../ui/confirm';
import { Boundary, Problem, Unreadable, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { usePageTitle } from '../../ui/page';
import { AgentStatus } from '../../ui/status';
import { TaskRow } from '../../ui/task-row';
import { firstLine, plain } from '../../ui/text';
import { Ago } from '../../ui/time';
import classes from './agents.module.css';
import { Credentials } from './credentials';
import { Findings, Grade, GradeBadge } from './findings';
import { Health } from './health';
import { TryIt } from './try-it';

const route = getRouteApi('/agents/$agentId');

export function AgentPage(): ReactNode {
  const { agentId } = route.useParams();
  const agent = useQuery(agentQuery(agentId));
  usePageTitle(firstLine(agent.data?.name ?? 'Agent', 60));
  return (
    <div className="page">
      <div className="page-inner">
        {agent.error && !agent.data && (
          <Unreadable name="Agent" error={agent.error} again={() => void agent.refetch()}>
            <Link to="/agents">All agents</Link>
          </Unreadable>
        )}
        {agent.isPending && <Waiting what="the agent" />}
        {agent.data && <Known agent={agent.data} />}
      </div>
    </div>
  );
}

function Known({ agent }: { agent: Agent }): ReactNode {
  const { tab = 'overview' } = route.useSearch();
  const navigate = route.useNavigate();
  return (
    <>
      <header className="page-head">
        <h1 className="wrap" style={{ fontSize: '1.375rem' }}>
          <bdi>{plain(agent.name).slice(0, 300)}</bdi>
        </h1>
        <AgentStatus status={agent.status} />
        {agent.grade && <GradeBadge letter={agent.grade} />}
        <div className="grow" />
        <Actions agent={agent} />
      </header>
      {agent.quarantine && <Quarantined agent={agent} />}
      {agent.health.error && agent.status === 'error' && (
        <p className="wrap" style={{ color: 'var(--st-failed)' }}>
          {plain(agent.health.error)}
        </p>
      )}
      <Tabs
        value={tab}
        keepMounted={false}
        onChange={(next) =>
          void navigate({ search: { tab: (next ?? undefined) as AgentTab | undefined }, replace: true })
        }
      >
        <Tabs.List mb="md">
          <Tabs.Tab value="overview">Overview</Tabs.Tab>
          <Tabs.Tab value="card">Card</Tabs.Tab>
          <Tabs.Tab value="try">Try it</Tabs.Tab>
          <Tabs.Tab value="credentials">Credentials</Tabs.Tab>
        </Tabs.List>
        <Boundary key={tab} what="This tab">
          {tab === 'overview' && <Overview agent={agent} />}
          {tab === 'card' && <CardTab agent={agent} />}
          {tab === 'try' && <TryIt agent={agent} />}
          {tab === 'credentials' && <Credentials agentId={agent.id} />}
        </Boundary>
      </Tabs>
    </>
  );
}

function Actions({ agent }: { agent: Agent }): ReactNode {
  const navigate = useNavigate();
  const [asks, setAsks] = useState(false);
  const act = useMutation({ mutationFn: (action: AgentAction) => actOnAgent(agent.id, action) });
  const accept = useMutation({ mutationFn: () => acceptAgent(agent) });
  const check = useMutation({ mutationFn: () => checkAgent(agent.id) });
  const turn = useMutation({ mutationFn: (status: 'active' | 'inactive') => switchAgent(agent.id, status) });
  const remove = useMutation({
    mutationFn: () => removeAgent(agent.id),
    onSuccess: () => void navigate({ to: '/agents' }),
  });
  const error = act.error ?? accept.error ?? check.error ?? turn.error;
  const busy = act.isPending || accept.isPending || check.isPending || turn.isPending;
  return (
    <>
      <Group gap="xs">
        {agent.status === 'pending' && (
          <Button loading={busy} onClick={() => accept.mutate()}>
            Let it in
          </Button>
        )}
        {agent.status === 'suspended' ? (
          <Button loading={busy} onClick={() => act.mutate('resume')}>
            Resume
          </Button>
        ) : (
          agent.status !== 'pending' && (
            <Button variant="default" loading={busy} onClick={() => act.mutate('suspend')}>
              Suspend
            </Button>
          )
        )}
        {agent.status === 'inactive' && (
          <Button variant="default" loading={busy} onClick={() => turn.mutate('active')}>
            Switch on
          </Button>
        )}
        {agent.status === 'active' && (
          <Button variant="default" loading={busy} onClick={() => turn.mutate('inactive')}>
            Switch off
          </Button>
        )}
        <Button variant="default" loading={busy} onClick={() => check.mutate()}>
          Check now
        </Button>
        <Button variant="default" aria-label="Remove the agent" px={10} onClick={() => setAsks(true)}>
          <Icon name="trash" size={16} />
        </Button>
      </Group>
      {error && (
        <div style={{ width: '100%' }}>
          <Problem error={error} />
        </div>
      )}
      {asks && (
        <Confirm
          title="Remove this agent?"
          no="Keep it"
          yes="Remove"
          isBusy={remove.isPending}
          error={remove.error}
          onNo={() => setAsks(false)}
          onYes={() => remove.mutate()}
        >
          <bdi>{firstLine(agent.name, 120)}</bdi> is forgotten, with its credentials. Tasks that it worked for stay.
        </Confirm>
      )}
    </>
  );
}

function Quarantined({ agent }: { agent: Agent }): ReactNode {
  const accept = useMutation({ mutationFn: () => acceptAgent(agent) });
  const changes = agent.quarantine?.changes ?? [];
  return (
    <section className={`card ${classes.quarantine}`} aria-label="Its card has changed">
      <h2>
        <Icon name="shield" size={16} /> Its card has changed
      </h2>
      <p style={{ margin: '0 0 10px' }}>
        Nothing is sent to it until you accept the new card. Found{' '}
        <Ago at={agent.quarantine?.found_at ?? agent.updated_at} />.
      </p>
      <ul className={classes.diff}>
        {changes.map((change) => (
          <li key={change.field}>
            <strong className="wrap">{plain(change.field)}</strong>
            <pre className={classes.before}>
              <span className={classes.sign}>−</span> {plain(shown(change.before))}
            </pre>
            <pre className={classes.after}>
              <span className={classes.sign}>+</span> {plain(shown(change.after))}
            </pre>
          </li>
        ))}
      </ul>
      {accept.error && <Problem error={accept.error} />}
      <Button loading={accept.isPending} onClick={() => accept.mutate()}>
        Accept the new card
      </Button>
    </section>
  );
}

function shown(value: unknown): string {
  if (value === null || value === undefined) return '(not there)';
  return typeof value === 'string' ? value || '(empty)' : JSON.stringify(value, null, 2);
}

function Overview({ agent }: { agent: Agent }): ReactNode {
  const tasks = useInfiniteQuery(tasksQuery({ agent: agent.id }, 50)).data?.pages[0]?.items ?? [];
  return (
    <div className={classes.columns}>
      <div>
        <p className="wrap" style={{ marginTop: 0 }}>
          {plain(agent.description).slice(0, 4000)}
        </p>
        <h2 className="section-title">Skills</h2>
        <ul className={`card rows ${classes.skills}`}>
          {agent.skills.map((skill) => (
            <li key={skill.id}>
              <strong className="wrap">{firstLine(skill.name || skill.id, 160)}</strong>{' '}
              <code className="dim">{plain(skill.id)}</code>
              <div className="dim small wrap">{firstLine(skill.description, 500)}</div>
              {skill.examples.slice(0, 3).map((example) => (
                <div key={example} className="small wrap" style={{ marginTop: 4 }}>
                  <Link to="/" search={{ goal: example, agent: agent.id }}>
                    {firstLine(example, 200)}
                  </Link>
                </div>
              ))}
            </li>
          ))}
        </ul>
        {tasks.length > 0 && (
          <>
            <h2 className="section-title" style={{ marginTop: 24 }}>
              Its tasks{' '}
              <Link to="/tasks" search={{ agent: agent.id }}>
                All
              </Link>
            </h2>
            <div className="card rows">
              {tasks.slice(0, 6).map((task) => (
                <TaskRow key={task.id} task={task} />
              ))}
            </div>
          </>
        )}
      </div>
      <div>
        <Health agent={agent} running={tasks.filter((task) => !isOver(task.status)).length} />
        {agent.verification && (
          <>
            <h2 className="section-title">Grade</h2>
            <Grade verification={agent.verification} />
          </>
        )}
      </div>
    </div>
  );
}

function CardTab({ agent }: { agent: Agent }): ReactNode {
  const refresh = useMutation({ mutationFn: () => actOnAgent(agent.id, 'refresh') });
  return (
    <div className={classes.columns}>
      <div>
        <h2 className="section-title">
          The card
          <Button size="compact-xs" variant="default" loading={refresh.isPending} onClick={() => refresh.mutate()}>
            Fetch it again
          </Button>
        </h2>
        {refresh.error && <Problem error={refresh.error} />}
        <JsonCode value={agent.card} label="Agent card" />
      </div>
      <div>
        <h2 className="section-title">Findings</h2>
        <Findings findings={agent.verification?.findings ?? []} />
        <h2 className="section-title" style={{ marginTop: 20 }}>
          What it speaks
        </h2>
        <JsonCode value={agent.protocol} label="Protocol" />
      </div>
    </div>
  );
}
