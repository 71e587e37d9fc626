// A status is a colour, an icon and a word.
import type { ReactNode } from 'react';
import type { Agent, StepStatus, TaskStatus } from '../api/types';
import { words } from '../live/fold';
import { Icon, type IconName } from './icons';

type Look = readonly [kind: string, icon: IconName];

const LOOKS: Record<TaskStatus | StepStatus, Look> = {
  pending: ['quiet', 'clock'],
  planning: ['running', 'retry'],
  executing: ['running', 'retry'],
  running: ['running', 'retry'],
  input_required: ['waiting', 'hand'],
  completed: ['completed', 'check'],
  failed: ['failed', 'cross'],
  skipped: ['quiet', 'skip'],
  canceled: ['quiet', 'dash'],
};

const AGENT_LOOKS: Record<Agent['status'], Look> = {
  active: ['completed', 'check'],
  inactive: ['quiet', 'dash'],
  error: ['failed', 'cross'],
  pending: ['waiting', 'clock'],
  quarantined: ['waiting', 'shield'],
  suspended: ['quiet', 'stop'],
};

const AGENT_WORDS: Record<Agent['status'], string> = {
  active: 'active',
  inactive: 'switched off',
  error: 'unreachable',
  pending: 'waits for approval',
  quarantined: 'card changed',
  suspended: 'suspended',
};

export function statusKind(status: TaskStatus | StepStatus): string {
  return LOOKS[status]?.[0] ?? 'quiet';
}

export function Status({ status }: { status: TaskStatus | StepStatus }): ReactNode {
  const [kind, icon] = LOOKS[status] ?? (['quiet', 'dots'] as const);
  return <Badge kind={kind} icon={icon} word={words(status)} spins={kind === 'running'} />;
}

export function AgentStatus({ status }: { status: Agent['status'] }): ReactNode {
  const [kind, icon] = AGENT_LOOKS[status] ?? (['quiet', 'dots'] as const);
  return <Badge kind={kind} icon={icon} word={AGENT_WORDS[status] ?? status} />;
}

export function Badge(props: { kind: string; icon: IconName; word: string; spins?: boolean }): ReactNode {
  return (
    <span className={`status st-${props.kind}`}>
      <span className={props.spins ? 'spin' : undefined} style={{ display: 'inline-flex' }}>
        <Icon name={props.icon} size={13} />
      </span>
      {props.word}
    </span>
  );
}

/** The same without the word, for where the word stands beside it. */
export function StatusIcon({ status, size = 14 }: { status: TaskStatus | StepStatus; size?: number }): ReactNode {
  const [kind, icon] = LOOKS[status] ?? (['quiet', 'dots'] as const);
  return (
    <span
      className={`st-${kind}${kind === 'running' ? ' spin' : ''}`}
      style={{ color: 'var(--st)', display: 'inline-flex', flex: 'none' }}
    >
      <Icon name={icon} size={size} />
    </span>
  );
}
