// What the browser did and does for tasks: the sessions, and one of them with its steps, live or afterwards.
import { useQuery } from '@tanstack/react-query';
import { Link, Outlet, useParams } from '@tanstack/react-router';
import type { ReactNode } from 'react';
import { browserSessionQuery, browserSessionsQuery, sessionUrl, traceUrl } from '../../api/browser';
import { ProblemError } from '../../api/client';
import type { BrowserSession, BrowserStep } from '../../api/types';
import { Empty, Problem, Waiting } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Page } from '../../ui/page';
import { Badge } from '../../ui/status';
import '../../ui/task-row.css';
import { duration, firstLine, plain, size } from '../../ui/text';
import { Ago, Took } from '../../ui/time';
import classes from './browser.module.css';
import { LiveView } from './live-view';

export function Browser(): ReactNode {
  const { sessionId } = useParams({ strict: false });
  return (
    <>
      {sessionId === undefined ? <Sessions /> : <Session key={sessionId} id={sessionId} />}
      <Outlet />
    </>
  );
}

function Sessions(): ReactNode {
  const sessions = useQuery(browserSessionsQuery);
  const isUnknown = sessions.error instanceof ProblemError && sessions.error.status === 404;
  return (
    <Page title="Browser">
      {sessions.error && !isUnknown && <Problem error={sessions.error} again={() => void sessions.refetch()} />}
      {sessions.isPending && <Waiting what="browser sessions" />}
      {(isUnknown || sessions.data?.items.length === 0) && (
        <Empty icon="browser" title="The browser has not been used yet">
          <p>
            A task that names a page opens it:{' '}
            <Link to="/" search={{ goal: 'Open https://example.org and get the main heading' }}>
              try one
            </Link>
            .
          </p>
        </Empty>
      )}
      {sessions.data && sessions.data.items.length > 0 && (
        <div className="card rows">
          {sessions.data.items.map((session) => (
            <Link
              key={session.id}
              className="task-row"
              to="/browser/$sessionId"
              params={{ sessionId: session.id }}
              search={{}}
            >
              <span className="task-row-name truncate">{firstLine(session.title || session.url || 'A page', 120)}</span>
              <span className="dim small truncate" style={{ maxWidth: '38%' }}>
                {firstLine(session.url, 90)}
              </span>
              <span className="task-row-time dim small">
                <Ago at={session.opened_at} />
              </span>
              <SessionStatus session={session} />
            </Link>
          ))}
        </div>
      )}
    </Page>
  );
}

function SessionStatus({ session }: { session: BrowserSession }): ReactNode {
  if (session.status === 'closed') return <Badge kind="quiet" icon="check" word="closed" />;
  if (session.held) return <Badge kind="waiting" icon="hand" word="taken over" />;
  return <Badge kind="running" icon="eye" word="live" />;
}

function Session({ id }: { id: string }): ReactNode {
  const stored = useQuery(browserSessionQuery(id));
  const session = stored.data;
  return (
    <Page
      title={firstLine(session?.title || session?.url || 'Browser session', 90)}
      wide
      actions={
        session && (
          <>
            <SessionStatus session={session} />
            <Link to="/tasks/$taskId" params={{ taskId: session.task_id }}>
              Its task
            </Link>
          </>
        )
      }
    >
      {stored.error && <Problem error={stored.error} again={() => void stored.refetch()} />}
      {stored.isPending && <Waiting what="the session" />}
      {session && (
        <div className={classes.columns}>
          <div>
            {session.status === 'open' ? <LiveView session={session} /> : <Recording session={session} />}
            <p className={`dim small wrap ${classes.address}`}>
              {plain(session.url)} · <Took from={session.opened_at} to={session.closed_at} />
              {session.trace && (
                <>
                  {' · '}
                  <a href={traceUrl(session.id)} target="_blank" rel="noopener">
                    Trace
                  </a>{' '}
                  (
                  <a href={sessionUrl(session.id, '/trace')} download>
                    {size(session.trace.size_bytes)}
                  </a>
                  )
                </>
              )}
            </p>
          </div>
          <section aria-label="Steps">
            <h2 className="section-title">Steps</h2>
            <ol className={classes.steps}>
              {session.steps.map((step) => (
                <Step key={step.number} session={session} step={step} />
              ))}
            </ol>
            {session.steps.length === 0 && <p className="dim">It has done nothing yet.</p>}
          </section>
        </div>
      )}
    </Page>
  );
}

function Recording({ session }: { session: BrowserSession }): ReactNode {
  const { recording } = session;
  if (!recording) {
    return (
      <div className={classes.screen} style={{ aspectRatio: ratioOf(session) }}>
        <Empty
          icon="browser"
          title={session.expires_at === null ? 'Its recording is being made' : 'It was not recorded'}
        />
      </div>
    );
  }
  const url = sessionUrl(session.id, '/recording');
  const last = session.steps.findLast((step) => step.thumbnail);
  const poster = last && sessionUrl(session.id, `/thumbnails/${last.number}`);
  return recording.media_type.startsWith('video/') ? (
    // biome-ignore lint/a11y/useMediaCaption: a film of a page has no sound
    <video
      className={classes.screen}
      src={url}
      poster={poster}
      controls
      preload="metadata"
      style={{ aspectRatio: ratioOf(session) }}
    />
  ) : (
    <img className={classes.screen} src={url} alt="What the browser did" style={{ aspectRatio: ratioOf(session) }} />
  );
}

export function ratioOf(session: BrowserSession): string {
  return `${session.viewport.width} / ${session.viewport.height}`;
}

const KINDS = {
  running: ['running', 'retry', 'running'],
  passed: ['completed', 'check', 'passed'],
  failed: ['failed', 'cross', 'failed'],
} as const;

function Step({ session, step }: { session: BrowserSession; step: BrowserStep }): ReactNode {
  const [kind, icon, word] = KINDS[step.status] ?? KINDS.running;
  return (
    <li>
      {step.thumbnail ? (
        <img
          className={classes.thumbnail}
          src={sessionUrl(session.id, `/thumbnails/${step.number}`)}
          alt={`After step ${step.number}`}
          loading="lazy"
        />
      ) : (
        <span className={classes.thumbnail}>
          <Icon name="browser" size={16} />
        </span>
      )}
      <div style={{ minWidth: 0, flex: 1 }}>
        <div className="wrap">{firstLine(step.description, 200)}</div>
        {step.error && (
          <div className="small wrap" style={{ color: 'var(--st-failed)' }}>
            {firstLine(step.error, 300)}
          </div>
        )}
        <div className={classes.stepFoot}>
          <Badge kind={kind} icon={icon} word={word} spins={step.status === 'running'} />
          {step.duration_ms !== null && <span className="dim small">{duration(step.duration_ms)}</span>}
        </div>
      </div>
    </li>
  );
}
