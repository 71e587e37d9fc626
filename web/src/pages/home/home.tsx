// The start: say what is to be done, see what runs, what waits for you, and how the agents are.
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { agentsQuery } from '../../api/agents';
import { readyQuery } from '../../api/health';
import { questionsQuery, tasksQuery } from '../../api/tasks';
import type { TaskStatus } from '../../api/types';
import { Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/page';
import { AgentStatus } from '../../ui/status';
import { TaskRow } from '../../ui/task-row';
import { firstLine, unmarked } from '../../ui/text';
import { Composer } from './composer';
import classes from './home.module.css';

const route = getRouteApi('/');

const OPEN: readonly TaskStatus[] = ['pending', 'planning', 'executing', 'input_required'];
const OVER: readonly TaskStatus[] = ['completed', 'failed', 'canceled'];

const EXAMPLES = [
  'Compute 17 * 23 in Python',
  'Average price by city:\ncity,price\nOslo,42\nBergen,40\nOslo,44',
  'Compute the first 20 Fibonacci numbers in Python, then summarize the result',
];

export function Home(): ReactNode {
  const { goal, agent } = route.useSearch();
  return (
    <Page title="Home">
      <Composer key={goal} goal={goal ?? ''} agent={agent ?? null} />
      <div className={classes.columns}>
        <div>
          <Questions />
          <Recent />
        </div>
        <Agents />
      </div>
    </Page>
  );
}

function Questions(): ReactNode {
  const questions = useQuery(questionsQuery).data?.items ?? [];
  if (questions.length === 0) return null;
  return (
    <section aria-label="Waits for you" style={{ marginBottom: 24 }}>
      <h2 className="section-title">
        <Icon name="hand" size={15} /> Waits for you
      </h2>
      <div className="card rows">
        {questions.slice(0, 5).map((question) => (
          <Link key={question.input_id} to="/inbox" className="task-row">
            <span className="task-row-name truncate">{firstLine(unmarked(question.prompt), 160)}</span>
            <span className="dim small truncate" style={{ maxWidth: '45%' }}>
              {firstLine(question.task.description, 80)}
            </span>
          </Link>
        ))}
      </div>
    </section>
  );
}

function Recent(): ReactNode {
  const running = useInfiniteQuery(tasksQuery({ status: OPEN }, 50));
  const over = useInfiniteQuery(tasksQuery({ status: OVER }, 8));
  const open = running.data?.pages[0]?.items;
  const ended = over.data?.pages[0]?.items;
  const failed = [running, over].find((tasks) => tasks.error && !tasks.data);
  if (failed?.error) return <Problem error={failed.error} again={() => void failed.refetch()} />;
  if (!open || !ended) return <Waiting what="tasks" />;
  if (open.length + ended.length === 0) {
    return (
      <section>
        <h2 className="section-title">Try one of these; they need no key</h2>
        <div className="card rows">
          {EXAMPLES.map((example) => (
            <Link key={example} to="/" search={{ goal: example }} className={classes.example}>
              <span className="truncate">{firstLine(example).replace(/:$/, '')}</span>
              <Icon name="chevron" size={14} />
            </Link>
          ))}
        </div>
      </section>
    );
  }
  return (
    <>
      {open.length > 0 && (
        <section aria-label="Running" style={{ marginBottom: 24 }}>
          <h2 className="section-title">Running</h2>
          <div className="card rows">
            {open.map((task) => (
              <TaskRow key={task.id} task={task} />
            ))}
          </div>
        </section>
      )}
      {ended.length > 0 && (
        <section aria-label="Lately">
          <h2 className="section-title">
            Lately <Link to="/tasks">All tasks</Link>
          </h2>
          <div className="card rows">
            {ended.map((task) => (
              <TaskRow key={task.id} task={task} />
            ))}
          </div>
        </section>
      )}
    </>
  );
}

function Agents(): ReactNode {
  const agents = useQuery(agentsQuery());
  const missing = useQuery(readyQuery).data?.missing ?? [];
  return (
    <section aria-label="Agents">
      <h2 className="section-title">
        Agents <Link to="/agents/new">Register one</Link>
      </h2>
      {agents.error && !agents.data && <Problem error={agents.error} again={() => void agents.refetch()} />}
      <div className="card rows">
        {agents.data?.items.slice(0, 10).map((agent) => (
          <Link key={agent.id} to="/agents/$agentId" params={{ agentId: agent.id }} className="task-row">
            <span className="task-row-name truncate">{firstLine(agent.name, 80)}</span>
            <AgentStatus status={agent.status} />
          </Link>
        ))}
        {agents.data?.items.length === 0 && <p className={`dim ${classes.none}`}>None is registered yet.</p>}
      </div>
      {missing.length > 0 && (
        <p className="dim small wrap" role="status">
          {missing.join(' ')}
        </p>
      )}
    </section>
  );
}
