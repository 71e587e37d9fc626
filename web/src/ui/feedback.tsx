// What a page shows when there is nothing, not yet, or not this time.
import { Button, Loader } from '@mantine/core';
import { Component, type ErrorInfo, type ReactNode } from 'react';
import { toProblem } from '../api/client';
import { Icon, type IconName } from './icons';
import { plain } from './text';

export function Problem({ error, again }: { error: unknown; again?: () => void }): ReactNode {
  const problem = toProblem(error);
  return (
    <div className="problem" role="alert">
      <Icon name="warning" />
      <div style={{ minWidth: 0, flex: 1 }}>
        <strong>{plain(problem.title)}</strong>
        <div className="wrap">{plain(problem.message)}</div>
        {problem.errors.length > 0 && (
          <ul style={{ margin: '6px 0 0', paddingLeft: 18 }}>
            {problem.errors.map((each) => (
              <li key={each.pointer + each.detail} className="wrap">
                <code>{plain(each.pointer)}</code> {plain(each.detail)}
              </li>
            ))}
          </ul>
        )}
        {again && (
          <Button size="compact-sm" variant="default" mt={8} onClick={again}>
            Try again
          </Button>
        )}
      </div>
    </div>
  );
}

/** A page of one thing that cannot be read: why, and a way to the others. */
export function Unreadable(props: { name: string; error: Error; again: () => void; children: ReactNode }): ReactNode {
  return (
    <>
      <h1 style={{ fontSize: '1.375rem' }}>{props.name}</h1>
      <Problem error={props.error} again={props.again} />
      <p>{props.children}</p>
    </>
  );
}

/** Why a task or a step failed. */
export function FailureNote({ failure }: { failure: { title: string; detail: string } }): ReactNode {
  return (
    <div className="problem" role="group" aria-label="Why it failed">
      <Icon name="warning" />
      <div style={{ minWidth: 0 }}>
        <strong>{plain(failure.title)}</strong>
        <div className="wrap">{plain(failure.detail)}</div>
      </div>
    </div>
  );
}

export function Empty(props: { icon: IconName; title: string; children?: ReactNode }): ReactNode {
  return (
    <div className="empty">
      <Icon name={props.icon} size={26} />
      <h2>{props.title}</h2>
      {props.children}
    </div>
  );
}

export function Waiting({ what }: { what: string }): ReactNode {
  return (
    <div className="empty" role="status" aria-label={`Loading ${what}`}>
      <Loader size="sm" type="dots" />
    </div>
  );
}

/** Keeps a failure of what is drawn inside from taking the whole page with it. */
export class Boundary extends Component<{ children: ReactNode; what: string }, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: Error): { error: Error } {
    return { error };
  }

  override componentDidCatch(error: Error, info: ErrorInfo): void {
    console.error(error, info.componentStack);
  }

  override render(): ReactNode {
    if (this.state.error === null) return this.props.children;
    return (
      <div className="problem" role="alert" style={{ margin: 16 }}>
        <Icon name="warning" />
        <div>
          <strong>{this.props.what} cannot be shown</strong>
          <div className="wrap">{plain(this.state.error.message)}</div>
          <Button size="compact-sm" variant="default" mt={8} onClick={() => this.setState({ error: null })}>
            Show it again
          </Button>
        </div>
      </div>
    );
  }
}
