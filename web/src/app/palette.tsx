// Ctrl K: go to a page, a task or an agent, or begin something, by typing a part of its name.
import { Modal, TextInput, useMantineColorScheme } from '@mantine/core';
import { useDebouncedValue } from '@mantine/hooks';
import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type KeyboardEvent, type ReactNode, useEffect, useId, useMemo, useState } from 'react';
import { agentsQuery } from '../api/agents';
import { tasksQuery } from '../api/tasks';
import { words } from '../live/fold';
import { Icon, type IconName } from '../ui/icons';
import { useFocusBack } from '../ui/page';
import { firstLine } from '../ui/text';
import classes from './palette.module.css';

interface Command {
  id: string;
  icon: IconName;
  label: string;
  kind: string;
  run: () => void;
}

export default function Palette({ close }: { close: () => void }): ReactNode {
  const [typed, setTyped] = useState('');
  const [selected, setSelected] = useState(0);
  const list = useId();
  const found = useCommands(typed.trim().toLowerCase());
  const index = Math.min(selected, found.length - 1);

  useFocusBack();
  useEffect(() => {
    document.getElementById(`${list}-${index}`)?.scrollIntoView({ block: 'nearest' });
  }, [list, index]);
  const run = (command: Command | undefined): void => {
    if (!command) return;
    close();
    command.run();
  };
  const onKey = (event: KeyboardEvent): void => {
    const move = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
    if (move !== 0 && found.length > 0) {
      event.preventDefault();
      setSelected((index + move + found.length) % found.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(found[index]);
    }
  };
  return (
    <Modal
      opened
      onClose={close}
      withCloseButton={false}
      padding={0}
      size="lg"
      yOffset="12vh"
      centered={false}
      title={undefined}
      attributes={{ content: { 'aria-label': 'Search and commands' } }}
    >
      <TextInput
        data-autofocus
        variant="unstyled"
        className={classes.input}
        leftSection={<Icon name="search" />}
        placeholder="Go to a page, a task, an agent …"
        aria-label="Search"
        role="combobox"
        aria-expanded
        aria-controls={list}
        aria-activedescendant={found[index] ? `${list}-${index}` : undefined}
        value={typed}
        onChange={(event) => {
          setTyped(event.currentTarget.value);
          setSelected(0);
        }}
        onKeyDown={onKey}
      />
      <div role="listbox" id={list} aria-label="Results" className={classes.list}>
        {found.map((command, place) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keys are taken by the field that owns this list
          <div
            key={command.id}
            id={`${list}-${place}`}
            role="option"
            tabIndex={-1}
            aria-selected={place === index}
            className={classes.item}
            onMouseMove={() => setSelected(place)}
            onClick={() => run(command)}
          >
            <Icon name={command.icon} />
            <span className="truncate" style={{ flex: 1 }}>
              {command.label}
            </span>
            <span className="dim small">{command.kind}</span>
          </div>
        ))}
        {found.length === 0 && <div className={classes.nothing}>Nothing is called so.</div>}
      </div>
    </Modal>
  );
}

function useCommands(typed: string): Command[] {
  const navigate = useNavigate();
  const { toggleColorScheme } = useMantineColorScheme();
  const [q] = useDebouncedValue(typed, 150);
  const tasks = useInfiniteQuery(tasksQuery({ q: q || undefined }, 8)).data?.pages[0]?.items;
  const agents = useQuery(agentsQuery()).data?.items;
  return useMemo(() => {
    const go =
      (
        to:
          | '/'
          | '/inbox'
          | '/tasks'
          | '/chat'
          | '/agents'
          | '/agents/new'
          | '/browser'
          | '/insights'
          | '/settings'
          | '/workflows',
      ) =>
      () =>
        void navigate({ to });
    const fixed: Command[] = [
      { id: 'new', icon: 'plus', label: 'New task', kind: 'begin', run: go('/') },
      { id: 'register', icon: 'plus', label: 'Register an agent', kind: 'begin', run: go('/agents/new') },
      { id: 'inbox', icon: 'inbox', label: 'Inbox', kind: 'page', run: go('/inbox') },
      { id: 'tasks', icon: 'tasks', label: 'Tasks', kind: 'page', run: go('/tasks') },
      { id: 'chat', icon: 'chat', label: 'Chat', kind: 'page', run: go('/chat') },
      { id: 'agents', icon: 'agents', label: 'Agents', kind: 'page', run: go('/agents') },
      { id: 'workflows', icon: 'workflows', label: 'Workflows', kind: 'page', run: go('/workflows') },
      { id: 'browser', icon: 'browser', label: 'Browser', kind: 'page', run: go('/browser') },
      { id: 'insights', icon: 'insights', label: 'Insights', kind: 'page', run: go('/insights') },
      { id: 'settings', icon: 'settings', label: 'Settings', kind: 'page', run: go('/settings') },
      { id: 'theme', icon: 'moon', label: 'Switch between light and dark', kind: 'do', run: toggleColorScheme },
    ];
    const ofAgents = (agents ?? []).map(
      (agent): Command => ({
        id: agent.id,
        icon: 'agents',
        label: firstLine(agent.name, 100),
        kind: 'agent',
        run: () => void navigate({ to: '/agents/$agentId', params: { agentId: agent.id } }),
      }),
    );
    const ofTasks = (tasks ?? []).map(
      (task): Command => ({
        id: task.id,
        icon: 'tasks',
        label: firstLine(task.description, 120),
        kind: words(task.status),
        run: () => void navigate({ to: '/tasks/$taskId', params: { taskId: task.id } }),
      }),
    );
    const named = [...fixed, ...ofAgents].filter((each) => each.label.toLowerCase().includes(typed));
    return [...named.slice(0, 12), ...ofTasks];
  }, [typed, tasks, agents, navigate, toggleColorScheme]);
}
