// A step that several agents answered, or whose answer is judged: who said what, what was decided, and why.
import type { ReactNode } from 'react';
import type { RoundOfStep, Step } from '../../api/types';
import type { LivePart, LiveStep } from '../../live/fold';
import { FailureNote } from '../../ui/feedback';
import { Icon } from '../../ui/icons';
import { Markdown } from '../../ui/markdown';
import { Badge, Status } from '../../ui/status';
import { count, firstLine, plain } from '../../ui/text';
import classes from './task.module.css';

const WAYS = {
  vote: 'What most say is taken',
  judge: 'A model chooses the best',
  merge: 'A model puts them together',
} as const;

const DECIDED_BY = { majority: 'by majority', model: 'by a model', union: 'all of them together' } as const;

export function Answers({ live, stored }: { live: LiveStep; stored: Step | undefined }): ReactNode {
  const { consensus, evaluate, agents } = live.planned;
  const parts = [...live.parts.values()];
  const rounds = [...new Set(parts.map((part) => part.round))].sort((one, other) => one - other);
  return (
    <>
      <p className="dim" style={{ marginTop: 0 }}>
        {[
          agents || consensus ? WAYS[consensus ?? 'vote'] : '',
          evaluate && `judged by ${count(evaluate.criteria.length, 'criterion', 'criteria')}`,
          evaluate && evaluate.max_rounds > 1 && `up to ${evaluate.max_rounds} rounds`,
        ]
          .filter(Boolean)
          .join('; ')}
      </p>
      {rounds.length === 0 && (
        <p className="dim">{live.endedAt === null ? 'Nobody was asked yet.' : 'Nobody was asked.'}</p>
      )}
      {rounds.map((round) => (
        <section key={round} aria-label={`Round ${round}`} className={classes.round}>
          {(rounds.length > 1 || evaluate) && <h3 className="section-title">Round {round}</h3>}
          <Round
            parts={parts.filter((part) => part.round === round && part.number !== null)}
            decided={stored?.rounds?.find((each) => each.round === round)}
            stored={stored}
          />
        </section>
      ))}
    </>
  );
}

function Round(props: { parts: LivePart[]; decided: RoundOfStep | undefined; stored: Step | undefined }): ReactNode {
  const { parts, decided, stored } = props;
  const consensus = decided?.consensus;
  const groupOf = new Map(consensus?.answers.map((answer) => [`${answer.agent} ${answer.text}`, answer.group]));
  return (
    <>
      {consensus && (
        <p className={classes.verdict}>
          <Icon name="check" size={14} /> Decided {DECIDED_BY[consensus.decided_by]}: {consensus.agreed} of{' '}
          {consensus.asked} say the same.
        </p>
      )}
      {consensus?.reasons && <Markdown text={consensus.reasons} />}
      {decided?.error && <FailureNote failure={decided.error} />}
      <ul className={classes.answers}>
        {parts.map((part) => {
          const attempt = stored?.attempts.findLast((each) => each.part === part.id);
          const text = attempt?.answer?.text ?? part.text;
          const name = attempt?.agent_name ?? part.agentName ?? 'An agent';
          const group = groupOf.get(`${name} ${text.slice(0, 2000)}`);
          return (
            <li key={part.id} className={decided?.chosen?.includes(part.id) ? classes.taken : ''}>
              <div className={classes.answerHead}>
                <strong className="truncate">
                  <bdi>{firstLine(name, 80)}</bdi>
                </strong>
                {decided?.chosen?.includes(part.id) && <Badge kind="completed" icon="check" word="taken" />}
                {group !== undefined && consensus?.disagreement && <span className="tag">says {letter(group)}</span>}
                {part.status !== 'completed' && <Status status={part.status} />}
              </div>
              {part.error ? (
                <p className="small wrap" style={{ color: 'var(--st-failed)', margin: 0 }}>
                  {plain(part.error.detail)}
                </p>
              ) : (
                <Markdown text={text || '…'} grows={part.status === 'running'} />
              )}
            </li>
          );
        })}
      </ul>
      {decided?.evaluation && <Scores round={decided.evaluation} />}
    </>
  );
}

function Scores({ round }: { round: NonNullable<RoundOfStep['evaluation']> }): ReactNode {
  return (
    <>
      <p className={classes.verdict}>
        <Icon name={round.passed ? 'check' : 'warning'} size={14} /> Score {round.score.toFixed(2)}
        {round.threshold !== null && ` of at least ${round.threshold.toFixed(2)}`}:{' '}
        {round.passed ? 'good enough' : 'not good enough'}.
      </p>
      <ul className={classes.scores}>
        {round.criteria.map((each) => (
          <li key={each.criterion}>
            <div className={classes.answerHead}>
              <span className="wrap">{plain(each.criterion)}</span>
              <span className="dim small" style={{ marginLeft: 'auto', whiteSpace: 'nowrap' }}>
                {each.score.toFixed(2)}, {each.by === 'check' ? 'checked' : 'by a model'}
              </span>
            </div>
            <div className={classes.scoreBar} aria-hidden>
              <span style={{ width: `${each.score * 100}%` }} />
            </div>
            <div className="dim small wrap">{plain(each.reason)}</div>
          </li>
        ))}
      </ul>
    </>
  );
}

function letter(group: number): string {
  return String.fromCharCode(64 + Math.min(group, 26));
}
