// What was found when an agent was looked at: its grade with the reasons, and each finding.
import type { ReactNode } from 'react';
import type { Finding, Verification } from '../../api/types';
import { Badge } from '../../ui/status';
import { plain } from '../../ui/text';
import { Ago } from '../../ui/time';
import classes from './agents.module.css';

export function GradeBadge({ letter }: { letter: string }): ReactNode {
  const kind = letter <= 'B' ? 'completed' : letter <= 'D' ? 'waiting' : 'failed';
  return (
    <span className={`${classes.grade} st-${kind}`} title={`Grade ${plain(letter)}`}>
      <span className={classes.gradeWord}>Grade</span> {plain(letter)}
    </span>
  );
}

const KINDS = {
  error: ['failed', 'cross', 'error'],
  warning: ['waiting', 'warning', 'warning'],
  note: ['quiet', 'dots', 'note'],
} as const;

export function Findings({ findings }: { findings: readonly Finding[] }): ReactNode {
  if (findings.length === 0) return <p className="dim">Nothing was found that is wrong with it.</p>;
  return (
    <ul className={classes.findings}>
      {findings.map((finding) => {
        const [kind, icon, word] = KINDS[finding.severity] ?? KINDS.note;
        return (
          <li key={`${finding.where} ${finding.text}`}>
            <Badge kind={kind} icon={icon} word={word} />
            <span className="wrap">
              <code>{plain(finding.where || 'The card')}</code> {plain(finding.text)}{' '}
              <span className="dim small">({plain(finding.clause)})</span>
            </span>
          </li>
        );
      })}
    </ul>
  );
}

export function Grade({ verification }: { verification: Verification }): ReactNode {
  return (
    <>
      <p style={{ display: 'flex', alignItems: 'center', gap: 10, marginTop: 0 }}>
        <GradeBadge letter={verification.grade.letter} />
        <span className="dim small">
          looked at <Ago at={verification.checked_at} />
        </span>
      </p>
      <dl className="kv small">
        {verification.grade.reasons.map((reason) => (
          <Reason key={reason.part} {...reason} />
        ))}
      </dl>
    </>
  );
}

function Reason({ part, points, text }: { part: string; points: number; text: string }): ReactNode {
  return (
    <>
      <dt>{plain(part)}</dt>
      <dd>
        {plain(text)}
        {points > 0 && <span className="dim"> (−{points})</span>}
      </dd>
    </>
  );
}
