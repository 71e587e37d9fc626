// How an agent was lately: a strip of a day, and how its calls went.
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { healthQuery } from '../../api/agents';
import type { Agent, HealthSpan } from '../../api/types';
import { count, duration, money, plain } from '../../ui/text';
import { Ago } from '../../ui/time';
import classes from './agents.module.css';
import { type Span, spansOf } from './spans';

export function Health({ agent, running }: { agent: Agent; running: number }): ReactNode {
  const lately = useQuery(healthQuery(agent.id)).data;
  const record = lately?.record;
  return (
    <>
      <h2 className="section-title">Health</h2>
      {lately && lately.items.length > 0 && <Strip items={lately.items} />}
      <dl className="kv" style={{ marginBottom: 20 }}>
        <dt>Now</dt>
        <dd>
          {agent.health.state}
          {agent.health.latency_ms !== null && `, ${duration(agent.health.latency_ms)}`}
          <div className="dim small">
            asked <Ago at={agent.health.checked_at} />
          </div>
        </dd>
        <dt>Its calls</dt>
        <dd>
          {record ? (
            <>
              {record.calls - record.failures} of {count(record.calls, 'call')} succeeded (
              {Math.round((100 * (record.calls - record.failures)) / record.calls)} %)
              <div className="dim small">
                usually {duration(record.duration_ms)}
                {record.cost_usd > 0 && `, ${money(record.cost_usd)} each`}
                {record.score !== null && `; judged ${record.score.toFixed(2)} of 1`}
              </div>
            </>
          ) : (
            'too few to say'
          )}
        </dd>
        {record && Object.keys(record.skills).length > 1 && (
          <>
            <dt>By skill</dt>
            <dd>
              {Object.entries(record.skills).map(([skill, each]) => (
                <div key={skill} className="small">
                  <code>{plain(skill)}</code>{' '}
                  <span className="dim">
                    {each.calls - each.failures} of {each.calls}, {duration(each.duration_ms)}
                  </span>
                </div>
              ))}
            </dd>
          </>
        )}
        <dt>Running</dt>
        <dd>{running || 'nothing'}</dd>
        <dt>Address</dt>
        <dd className="mono">{plain(agent.endpoint)}</dd>
        <dt>Registered</dt>
        <dd>
          <Ago at={agent.created_at} />
          {agent.source === 'file' && ', by the agents file'}
          {agent.source === 'template' && ', begun from a template for a plan; it leaves when nobody needs it'}
        </dd>
      </dl>
    </>
  );
}

const WIDTH = 3;
const GAP = 1;
const HEIGHT = 36;

/** A bar for each quarter of an hour of the last day: as high as its answers were slow, red as far as there were none. */
function Strip({ items }: { items: readonly HealthSpan[] }): ReactNode {
  const { spans, checks, failures, slowest } = spansOf(items, Date.now());
  const share = checks === 0 ? null : (100 * (checks - failures)) / checks;
  const told =
    share === null ? 'not asked' : `answered ${share.toFixed(share > 99 && share < 100 ? 2 : 0)} % of checks`;
  return (
    <figure className={classes.strip}>
      <svg
        viewBox={`0 0 ${spans.length * (WIDTH + GAP)} ${HEIGHT}`}
        preserveAspectRatio="none"
        role="img"
        aria-label={`The last day: ${told}`}
      >
        {spans.map((span, place) => (
          <Bar key={span.at} span={span} x={place * (WIDTH + GAP)} slowest={slowest} />
        ))}
      </svg>
      <figcaption className="dim small">
        <span>a day ago</span>
        <span>
          {told}
          {slowest > 0 && `; at most ${duration(slowest)}`}
        </span>
        <span>now</span>
      </figcaption>
    </figure>
  );
}

function Bar({ span, x, slowest }: { span: Span; x: number; slowest: number }): ReactNode {
  const { checks, failures, latencyMs } = span;
  const height = checks === 0 ? 2 : Math.max(6, slowest > 0 ? (HEIGHT * (latencyMs ?? slowest)) / slowest : HEIGHT);
  const red = checks === 0 ? 0 : (height * failures) / checks;
  return (
    <g>
      <title>{`${new Date(span.at).toLocaleTimeString(undefined, { timeStyle: 'short' })}: ${said(span)}`}</title>
      <rect x={x} y={0} width={WIDTH} height={HEIGHT} fill="transparent" />
      <rect
        x={x}
        y={HEIGHT - height}
        width={WIDTH}
        height={height - red}
        fill={checks === 0 ? 'var(--af-line)' : 'var(--st-completed)'}
      />
      {red > 0 && <rect x={x} y={HEIGHT - red} width={WIDTH} height={red} fill="var(--st-failed)" />}
    </g>
  );
}

function said({ checks, failures, latencyMs, error }: Span): string {
  if (checks === 0) return 'not asked';
  const well = `${checks - failures} of ${checks} checks answered`;
  return [well, latencyMs !== null && duration(latencyMs), error && plain(error)].filter(Boolean).join(', ');
}
