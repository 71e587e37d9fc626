// The frame around every page: the rail, the connection's state, keys, the palette.
import { ActionIcon, Button, Tooltip, useComputedColorScheme, useMantineColorScheme } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { useIsMutating, useQuery } from '@tanstack/react-query';
import { Link, Outlet } from '@tanstack/react-router';
import { lazy, type ReactNode, Suspense, useCallback, useEffect, useRef, useState } from 'react';
import { queryClient } from '../api/query';
import { questionsQuery, refreshLists } from '../api/tasks';
import type { OpenQuestion } from '../api/types';
import { connection, useConnection, useWatch } from '../live/task-store';
import { SENDING, unsentAnswer } from '../ui/answer-draft';
import { answerTo, keepDraft } from '../ui/drafts';
import { Boundary } from '../ui/feedback';
import { Icon, type IconName } from '../ui/icons';
import { showWaiting } from '../ui/page';
import { firstLine, plain, unmarked } from '../ui/text';
import { useKeys } from './keyboard';

const Palette = lazy(() => import('./palette'));
const KeyHelp = lazy(() => import('./key-help'));

const LINKS = [
  ['/', 'home', 'Home'],
  ['/inbox', 'inbox', 'Inbox'],
  ['/tasks', 'tasks', 'Tasks'],
  ['/chat', 'chat', 'Chat'],
  ['/agents', 'agents', 'Agents'],
  ['/workflows', 'workflows', 'Workflows'],
  ['/browser', 'browser', 'Browser'],
  ['/insights', 'insights', 'Insights'],
  ['/settings', 'settings', 'Settings'],
] as const satisfies readonly (readonly [string, IconName, string])[];

const NO_QUESTIONS: readonly OpenQuestion[] = [];

export function Shell(): ReactNode {
  const [overlay, setOverlay] = useState<'palette' | 'keys' | null>(null);
  const [isRailOpen, setRailOpen] = useState(false);
  useWatch(refreshLists);
  useReadAgain();
  useKeys(setOverlay);
  const close = useCallback(() => setOverlay(null), []);
  const closeRail = useCallback(() => setRailOpen(false), []);
  return (
    <div className="shell">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="topbar">
        <ActionIcon
          variant="subtle"
          color="gray"
          aria-label="Menu"
          aria-expanded={isRailOpen}
          onClick={() => setRailOpen(true)}
        >
          <Icon name="menu" />
        </ActionIcon>
        <Brand />
      </header>
      <Rail isOpen={isRailOpen} close={closeRail} openPalette={() => setOverlay('palette')} />
      <main className="main" id="main" tabIndex={-1} style={{ outline: 'none' }}>
        <ConnectionBanner />
        <AnswersForgotten />
        <Boundary what="This page">
          <Outlet />
        </Boundary>
      </main>
      <Suspense fallback={null}>
        {overlay === 'palette' && <Palette close={close} />}
        {overlay === 'keys' && <KeyHelp close={close} />}
      </Suspense>
    </div>
  );
}

/** When the connection is back, what could not be read meanwhile is read again. */
function useReadAgain(): void {
  const state = useConnection();
  const wasLost = useRef(false);
  useEffect(() => {
    if (state === 'open' && wasLost.current) void queryClient.invalidateQueries();
    wasLost.current = state === 'lost' || (wasLost.current && state !== 'open');
  }, [state]);
}

interface Unsent {
  question: OpenQuestion;
  text: string;
}

/** Forgets what was begun to be answered when its question is open no more, and shows it if it was not sent. */
function AnswersForgotten(): ReactNode {
  const open = useQuery(questionsQuery).data?.items ?? NO_QUESTIONS;
  const sending = useIsMutating({ mutationKey: SENDING });
  const before = useRef(open);
  const [unsent, setUnsent] = useState<readonly Unsent[]>([]);
  useEffect(() => {
    if (sending > 0) return; // it may be the answer that the question is gone by
    const ids = new Set(open.map((question) => question.input_id));
    for (const question of before.current) {
      if (ids.has(question.input_id)) continue;
      const text = unsentAnswer(question);
      if (text) setUnsent((others) => [...others, { question, text }]);
      keepDraft(answerTo(question.input_id), undefined);
    }
    before.current = open;
  }, [open, sending]);
  return unsent.map(({ question, text }) => (
    <div key={question.input_id} className="banner" role="alert">
      <Icon name="warning" />
      <span className="wrap" style={{ flex: 1 }}>
        “{firstLine(unmarked(question.prompt), 80)}” of{' '}
        <Link to="/tasks/$taskId" params={{ taskId: question.task.id }}>
          {firstLine(question.task.description, 60)}
        </Link>{' '}
        is not open any more. What you had begun to answer: <q className="unsent">{plain(text)}</q>
      </span>
      <Button
        size="compact-sm"
        variant="default"
        onClick={() => setUnsent((all) => all.filter((each) => each.question !== question))}
      >
        Close
      </Button>
    </div>
  ));
}

function Brand(): ReactNode {
  return (
    <Link to="/" className="brand">
      <img src="/ui/icon.svg" alt="" />
      Agent Federation
    </Link>
  );
}

function Rail(props: { isOpen: boolean; close: () => void; openPalette: () => void }): ReactNode {
  const questions = useQuery(questionsQuery).data?.items.length ?? 0;
  useEffect(() => showWaiting(questions), [questions]);
  useHotkeys(props.isOpen ? [['Escape', props.close]] : []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: the links inside take the keys; a click anywhere closes the drawer
    <nav className={`rail${props.isOpen ? ' open' : ''}`} aria-label="Main" onClick={props.close}>
      <Brand />
      {LINKS.map(([to, icon, label]) => (
        <Link key={to} to={to} className="rail-link" activeOptions={{ exact: to === '/', includeSearch: false }}>
          <Icon name={icon} />
          {label}
          {to === '/inbox' && questions > 0 && (
            <span className="rail-count" title={`${questions} waiting for you`}>
              {questions > 99 ? '99+' : questions}
            </span>
          )}
        </Link>
      ))}
      <div className="rail-foot">
        <Tooltip label="Search and commands (Ctrl K)">
          <ActionIcon variant="subtle" color="gray" aria-label="Search and commands" onClick={props.openPalette}>
            <Icon name="search" />
          </ActionIcon>
        </Tooltip>
        <ThemeSwitch />
      </div>
    </nav>
  );
}

function ThemeSwitch(): ReactNode {
  const { setColorScheme } = useMantineColorScheme();
  const scheme = useComputedColorScheme('light');
  const other = scheme === 'dark' ? 'light' : 'dark';
  return (
    <Tooltip label={`Switch to the ${other} theme`}>
      <ActionIcon
        variant="subtle"
        color="gray"
        aria-label={`Switch to the ${other} theme`}
        onClick={() => setColorScheme(other)}
      >
        <Icon name={scheme === 'dark' ? 'sun' : 'moon'} />
      </ActionIcon>
    </Tooltip>
  );
}

function ConnectionBanner(): ReactNode {
  const state = useConnection();
  return (
    <div aria-live="polite">
      {state === 'lost' && (
        <div className="banner" data-testid="connection-lost">
          <Icon name="warning" />
          <span style={{ flex: 1 }}>Connection lost. What you see may be old; it goes on by itself.</span>
          <Button size="compact-sm" variant="default" onClick={() => connection.retryNow()}>
            Try now
          </Button>
        </div>
      )}
    </div>
  );
}
