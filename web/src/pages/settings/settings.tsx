// How this page looks and works in this browser, and how the orchestrator is.
import { SegmentedControl, Switch, useMantineColorScheme } from '@mantine/core';
import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { type ReactNode, useState } from 'react';
import { agentsQuery } from '../../api/agents';
import { API_URL } from '../../api/client';
import { healthQuery, readyQuery } from '../../api/health';
import { keysAreOn, switchKeys } from '../../app/keyboard';
import { useConnection } from '../../live/task-store';
import { Problem } from '../../ui/feedback';
import { Page } from '../../ui/page';
import { Badge } from '../../ui/status';
import { count, plain } from '../../ui/text';
import classes from './settings.module.css';

export function Settings(): ReactNode {
  return (
    <Page title="Settings">
      <div className={classes.columns}>
        <ThisBrowser />
        <Orchestrator />
        <Places />
      </div>
    </Page>
  );
}

function ThisBrowser(): ReactNode {
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const [keys, setKeys] = useState(keysAreOn);
  return (
    <section className={`card ${classes.card}`}>
      <h2>This browser</h2>
      <div className={classes.row}>
        <span id="theme-label">Theme</span>
        <SegmentedControl
          aria-labelledby="theme-label"
          data={[
            { value: 'auto', label: 'As the system' },
            { value: 'light', label: 'Light' },
            { value: 'dark', label: 'Dark' },
          ]}
          value={colorScheme}
          onChange={(next) => setColorScheme(next as 'auto' | 'light' | 'dark')}
        />
      </div>
      <Switch
        label="Single keys work (press ? for all of them)"
        checked={keys}
        onChange={(event) => {
          switchKeys(event.currentTarget.checked);
          setKeys(event.currentTarget.checked);
        }}
      />
    </section>
  );
}

function Orchestrator(): ReactNode {
  const health = useQuery(healthQuery);
  const ready = useQuery(readyQuery);
  const agents = useQuery(agentsQuery()).data?.items;
  const connection = useConnection();
  const problems = [...(health.data?.problems ?? []), ...(ready.data?.missing ?? [])];
  return (
    <section className={`card ${classes.card}`}>
      <h2>The orchestrator</h2>
      {health.error && <Problem error={health.error} again={() => void health.refetch()} />}
      <dl className="kv">
        <dt>Ready</dt>
        <dd>
          {ready.data?.ready ? (
            <Badge kind="completed" icon="check" word="everything is there" />
          ) : (
            <Badge kind="waiting" icon="warning" word="something is missing" />
          )}
        </dd>
        <dt>Version</dt>
        <dd>{plain(health.data?.version ?? '')}</dd>
        <dt>Address</dt>
        <dd className="mono">{API_URL || window.location.origin}</dd>
        <dt>Live</dt>
        <dd>{connection === 'open' ? 'connected' : connection === 'lost' ? 'connection lost' : 'connecting'}</dd>
        <dt>Agents</dt>
        <dd>
          {agents && (
            <Link to="/agents">
              {agents.filter((agent) => agent.status === 'active').length} of {count(agents.length, 'agent')} active
            </Link>
          )}
        </dd>
      </dl>
      {problems.length > 0 && (
        <ul className={classes.problems}>
          {problems.map((problem) => (
            <li key={problem}>{plain(problem)}</li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Places(): ReactNode {
  return (
    <section className={`card ${classes.card}`}>
      <h2>Models, keys, limits</h2>
      <p>
        These belong to the machine that runs the orchestrator: they are environment variables, or lines of its{' '}
        <code>.env</code>, and are read when it starts. <code>.env.example</code> lists all of them, with what each
        does.
      </p>
      <dl className="kv">
        <dt>Models</dt>
        <dd>
          <code>LLM_PROVIDER</code>, <code>LLM_MODEL</code>, and the provider's key
        </dd>
        <dt>Budgets</dt>
        <dd>
          of each task, at its composer; of a day, <code>TENANT_DAILY_COST_USD</code>
        </dd>
        <dt>Data</dt>
        <dd>
          <code>DATA_DIR</code>, <code>DATABASE_URL</code>
        </dd>
        <dt>API</dt>
        <dd>
          <a href={`${API_URL}/docs`}>what it can do</a>
        </dd>
      </dl>
    </section>
  );
}
