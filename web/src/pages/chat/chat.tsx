// Conversations: what was said, the tasks that came of it, and what comes next.
import { ActionIcon, Button, VisuallyHidden } from '@mantine/core';
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query';
import { Link, Outlet, useNavigate, useParams } from '@tanstack/react-router';
import { type ReactNode, useCallback, useEffect, useRef, useState } from 'react';
import { agentsQuery } from '../../api/agents';
import { queryClient } from '../../api/query';
import { createSession, deleteSession, messagesQuery, sessionsQuery } from '../../api/sessions';
import { submitTask, tasksQuery } from '../../api/tasks';
import type { Session } from '../../api/types';
import { Confirm } from '../../ui/confirm';
import { draftOf, filesOf, keepDraft, keepFiles } from '../../ui/drafts';
import { Problem, Waiting } from '../../ui/feedback';
import { toNewFile } from '../../ui/files';
import { Icon } from '../../ui/icons';
import { usePageTitle } from '../../ui/page';
import { firstLine } from '../../ui/text';
import { Ago } from '../../ui/time';
import classes from './chat.module.css';
import { ChatComposer } from './composer';
import { TurnView } from './turn';
import { addressed, turnsOf, unsent } from './turns';

export function Chat(): ReactNode {
  const { sessionId = null } = useParams({ strict: false });
  const sessions = useInfiniteQuery(sessionsQuery).data?.pages.flatMap((page) => page.items);
  const session = sessions?.find((each) => each.id === sessionId);
  const title = firstLine(session?.title || 'Chat', 80);
  usePageTitle(title);
  return (
    <div className={classes.page}>
      {sessionId !== null && <VisuallyHidden component="h1">{title}</VisuallyHidden>}
      <Sessions current={sessionId} />
      <Conversation key={sessionId ?? 'new'} sessionId={sessionId} />
      <Outlet />
    </div>
  );
}

function Sessions({ current }: { current: string | null }): ReactNode {
  const sessions = useInfiniteQuery(sessionsQuery);
  const items = sessions.data?.pages.flatMap((page) => page.items);
  const navigate = useNavigate();
  const [asked, setAsked] = useState<Session | null>(null);
  const remove = useMutation({
    mutationFn: deleteSession,
    onSuccess: (_, id) => {
      setAsked(null);
      keepDraft(draftName(id), undefined);
      keepFiles(draftName(id), []);
      if (id === current) void navigate({ to: '/chat' });
    },
  });
  return (
    <nav className={`${classes.sessions} ${current === null ? '' : classes.sessionsAside}`} aria-label="Conversations">
      <Link to="/chat" className={classes.new}>
        <Icon name="plus" size={15} /> New conversation
      </Link>
      {sessions.error && <Problem error={sessions.error} again={() => void sessions.refetch()} />}
      <ul>
        {items?.map((session) => (
          <li key={session.id} className={classes.session}>
            <Link to="/chat/$sessionId" params={{ sessionId: session.id }} className={classes.sessionLink}>
              <span className="truncate">{firstLine(session.title || 'Untitled', 80)}</span>
              <span className="dim small">
                <Ago at={session.updated_at} />
              </span>
            </Link>
            <ActionIcon
              variant="subtle"
              color="gray"
              size="sm"
              className={classes.forget ?? ''}
              aria-label={`Forget ${firstLine(session.title || 'Untitled', 40)}`}
              onClick={() => {
                remove.reset();
                setAsked(session);
              }}
            >
              <Icon name="trash" size={14} />
            </ActionIcon>
          </li>
        ))}
      </ul>
      {sessions.hasNextPage && (
        <Button
          size="compact-sm"
          variant="subtle"
          style={{ flex: 'none' }}
          loading={sessions.isFetchingNextPage}
          onClick={() => void sessions.fetchNextPage()}
        >
          Show older ones
        </Button>
      )}
      {asked && (
        <Confirm
          title="Forget this conversation?"
          no="Keep it"
          yes="Forget"
          isBusy={remove.isPending}
          error={remove.error}
          onNo={() => setAsked(null)}
          onYes={() => remove.mutate(asked.id)}
        >
          <bdi>{firstLine(asked.title || 'Untitled', 120)}</bdi> is gone then, with all that was said. Its tasks stay.
        </Confirm>
      )}
    </nav>
  );
}

function Conversation({ sessionId }: { sessionId: string | null }): ReactNode {
  const messages = useQuery({ ...messagesQuery(sessionId ?? ''), enabled: sessionId !== null });
  const tasks = useInfiniteQuery({ ...tasksQuery({ session_id: sessionId ?? '' }, 100), enabled: sessionId !== null });
  const agents = useQuery(agentsQuery()).data?.items ?? [];
  const [editedAt, setEditedAt] = useState(0);
  const draft = draftName(sessionId);
  const navigate = useNavigate();
  const known = tasks.data?.pages[0]?.items ?? [];
  const turns = turnsOf(messages.data ?? [], known);
  const begun = useRef(sessionId); // kept when the message could not be sent: trying again begins no other one
  const send = useMutation({
    mutationFn: async ({ text, files }: { text: string; files: readonly File[] }) => {
      const isAddressed = text.trimStart().startsWith('@');
      const to = addressed(text, isAddressed ? (await queryClient.ensureQueryData(agentsQuery())).items : []);
      begun.current ??= (await createSession()).id;
      const session = begun.current;
      await submitTask({
        description: to.text || text,
        session_id: session,
        ...(to.agentId && { agent: to.agentId }),
        ...(files.length > 0 && { files: await Promise.all(files.map(toNewFile)) }),
      } as Parameters<typeof submitTask>[0]);
      return session;
    },
    onSuccess: (session, { text, files }) => {
      const more = filesOf(draft).filter((file) => !files.includes(file));
      const rest = unsent(draftOf(draft) ?? '', text);
      keepDraft(draft, undefined);
      keepDraft(draftName(session), rest || undefined);
      keepFiles(draft, []);
      keepFiles(draftName(session), more);
      void queryClient.invalidateQueries({ queryKey: ['sessions'] });
      void queryClient.invalidateQueries({ queryKey: ['tasks', 'list'] });
    },
  });
  const open = (session: string): void => {
    if (session !== sessionId) void navigate({ to: '/chat/$sessionId', params: { sessionId: session } });
  };
  const edit = (text: string): void => {
    keepDraft(draft, text);
    setEditedAt(Date.now());
  };
  const onOver = useCallback(() => {
    if (sessionId !== null) void queryClient.invalidateQueries({ queryKey: ['sessions', 'messages', sessionId] });
    void queryClient.invalidateQueries({ queryKey: ['tasks', 'list'] });
  }, [sessionId]);
  const error = messages.error ?? tasks.error;
  return (
    <section className={classes.conversation} aria-label="Conversation">
      <Thread mark={`${turns.length}`}>
        {error && <Problem error={error} again={() => void messages.refetch()} />}
        {sessionId !== null && messages.isPending && <Waiting what="the conversation" />}
        {sessionId === null && <Suggestions onPick={edit} />}
        {turns.map((turn) => (
          <TurnView
            key={turn.key}
            turn={turn}
            task={known.find((task) => task.id === turn.taskId) ?? null}
            onOver={onOver}
            onEdit={edit}
          />
        ))}
      </Thread>
      <div className={classes.foot}>
        {send.error && <Problem error={send.error} />}
        <ChatComposer
          key={editedAt}
          draft={draft}
          agents={agents}
          busy={send.isPending}
          onSend={(text, files) => send.mutate({ text, files }, { onSuccess: open })}
        />
      </div>
    </section>
  );
}

function draftName(sessionId: string | null): string {
  return `chat ${sessionId ?? ''}`;
}

/** Scrolls along with what is said, until one scrolls up. */
function Thread({ mark, children }: { mark: string; children: ReactNode }): ReactNode {
  const box = useRef<HTMLDivElement>(null);
  const inner = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const top = useRef(0);
  const [isAway, setAway] = useState(false);
  const toEnd = useCallback(() => {
    if (box.current) box.current.scrollTop = box.current.scrollHeight;
  }, []);
  useEffect(() => {
    const watched = inner.current;
    if (!watched) return;
    const observer = new ResizeObserver(() => follows.current && toEnd());
    observer.observe(watched);
    return () => observer.disconnect();
  }, [toEnd]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new turn is followed, wherever one was
  useEffect(() => {
    follows.current = true;
    toEnd();
  }, [mark, toEnd]);
  return (
    <div className={classes.threadFrame}>
      <div
        ref={box}
        className={classes.thread}
        tabIndex={0}
        role="log"
        aria-label="What was said"
        onScroll={(event) => {
          const at = event.currentTarget;
          // What grows moves nothing up: only a person does.
          if (at.scrollTop < top.current - 4) follows.current = false;
          if (at.scrollHeight - at.scrollTop - at.clientHeight < 80) follows.current = true;
          top.current = at.scrollTop;
          setAway(!follows.current);
        }}
      >
        <div ref={inner} className={classes.threadInner}>
          {children}
        </div>
      </div>
      {isAway && (
        <Button
          className={classes.jump ?? ''}
          size="compact-sm"
          variant="default"
          onClick={() => {
            follows.current = true;
            toEnd();
          }}
        >
          Jump to live
        </Button>
      )}
    </div>
  );
}

function Suggestions({ onPick }: { onPick: (text: string) => void }): ReactNode {
  const agents = useQuery(agentsQuery()).data?.items ?? [];
  const examples = [
    ...new Set(agents.flatMap((agent) => agent.skills.flatMap((skill) => skill.examples.slice(0, 1)))),
  ].slice(0, 6);
  return (
    <div className={classes.welcome}>
      <h1>What shall be done?</h1>
      <p className="dim">Begin with @ to say it to one agent; else it is planned, and goes to whoever fits.</p>
      <div className={classes.examples}>
        {examples.map((example) => (
          <button key={example} type="button" className={`card ${classes.example}`} onClick={() => onPick(example)}>
            {firstLine(example, 120)}
          </button>
        ))}
      </div>
    </div>
  );
}
