// The registered agents: how each is, what it can do.
import { Button } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { agentsQuery } from '../../api/agents';
import type { Agent } from '../../api/types';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/page';
import { SearchField } from '../../ui/search-field';
import { AgentStatus } from '../../ui/status';
import { firstLine, plain } from '../../ui/text';
import classes from './agents.module.css';
import { GradeBadge } from './findings';

const route = getRouteApi('/agents');

export function Agents(): ReactNode {
  const { q } = route.useSearch();
  const navigate = route.useNavigate();
  const agents = useQuery(agentsQuery(q));
  const register = (
    <Link to="/agents/new">
      <Button component="span" leftSection={<Icon name="plus" size={14} />}>
        Register an agent
      </Button>
    </Link>
  );
  return (
    <Page
      title="Agents"
      actions={
        <>
          <SearchField
            label="Search agents"
            placeholder="What is needed?"
            value={q ?? ''}
            onSearch={(next) => void navigate({ search: { q: next }, replace: true })}
          />
          {register}
        </>
      }
    >
      {agents.error && <Problem error={agents.error} again={() => void agents.refetch()} />}
      {agents.isPending && <Waiting what="agents" />}
      {agents.data?.items.length === 0 &&
        (q ? (
          <Empty icon="agents" title="No agent fits that">
            <Link to="/agents" search={{}}>
              Show all
            </Link>
          </Empty>
        ) : (
          <Empty icon="agents" title="No agent is registered yet">
            <p>All it takes is the address of one that speaks A2A.</p>
            {register}
          </Empty>
        ))}
      <ul className={classes.list}>
        {agents.data?.items.map((agent) => (
          <li key={agent.id}>
            <AgentCard agent={agent} />
          </li>
        ))}
      </ul>
    </Page>
  );
}

function AgentCard({ agent }: { agent: Agent }): ReactNode {
  return (
    <Link className={`card ${classes.card}`} to="/agents/$agentId" params={{ agentId: agent.id }}>
      <span className={classes.cardHead}>
        <strong className="truncate">
          <bdi>{firstLine(agent.name, 120)}</bdi>
        </strong>
        <AgentStatus status={agent.status} />
      </span>
      <span className={`dim small ${classes.description}`}>{firstLine(agent.description, 240)}</span>
      <span className={classes.tags}>
        {agent.skills.slice(0, 4).map((skill) => (
          <span key={skill.id} className="tag">
            <span className="truncate">{plain(skill.id)}</span>
          </span>
        ))}
        {agent.skills.length > 4 && <span className="dim small">and {agent.skills.length - 4} more</span>}
        <span className={classes.cardEnd}>
          {agent.source === 'template' && <span className="tag">from a template</span>}
          {agent.health.latency_ms !== null && (
            <span className="dim small">{Math.round(agent.health.latency_ms)} ms</span>
          )}
          {agent.grade && <GradeBadge letter={agent.grade} />}
        </span>
      </span>
    </Link>
  );
}
