// Where a task begins: the goal, and if wanted an agent, a budget, files, and a look at the plan first.
import { Button, Checkbox, Collapse, NumberInput, Select, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type KeyboardEvent, type ReactNode, useState } from 'react';
import { agentsQuery } from '../../api/agents';
import { submitTask } from '../../api/tasks';
import { AttachButton, Attached } from '../../ui/attach';
import { keepDraft, keepFiles, useDraft, useFiles } from '../../ui/drafts';
import { Problem } from '../../ui/feedback';
import { toNewFile } from '../../ui/files';
import { firstLine } from '../../ui/text';
import classes from './home.module.css';

interface Wanted {
  goal: string;
  agent: string | null;
  approve: boolean;
  // Texts while they are typed, "0.50" for one.
  cost: number | string;
  seconds: number | string;
}

const NOTHING: Wanted = { goal: '', agent: null, approve: false, cost: '', seconds: '' };

export function Composer({ goal: begin, agent: chosen }: { goal: string; agent: string | null }): ReactNode {
  const draft = `task ${JSON.stringify([begin, chosen])}`;
  const wanted = useDraft<Wanted>(draft) ?? { ...NOTHING, goal: begin, agent: chosen };
  const { goal, agent, approve, cost, seconds } = wanted;
  const change = (changed: Partial<Wanted>): void => keepDraft(draft, { ...wanted, ...changed });
  const files = useFiles(draft);
  const setFiles = (next: readonly File[]): void => keepFiles(draft, next);
  const [isOpen, setOpen] = useState(agent !== null || approve || cost !== '' || seconds !== '');
  const agents = useQuery(agentsQuery()).data?.items ?? [];
  const navigate = useNavigate();
  const submit = useMutation({
    mutationFn: async () =>
      submitTask({
        description: goal,
        ...(agent !== null && { agent }),
        ...(approve && { approve_plan: true }),
        ...(files.length > 0 && { files: await Promise.all(files.map(toNewFile)) }),
        budget: {
          ...(cost !== '' && { cost_usd: Number(cost) }),
          ...(Number(seconds) > 0 && { seconds: Number(seconds) }),
        },
      } as Parameters<typeof submitTask>[0]),
    onSuccess: () => {
      keepDraft(draft, undefined);
      setFiles([]);
    },
  });
  const send = (event?: FormEvent): void => {
    event?.preventDefault();
    if (!goal.trim() || submit.isPending) return;
    submit.mutate(undefined, {
      onSuccess: (task) => void navigate({ to: '/tasks/$taskId', params: { taskId: task.id } }),
    });
  };
  const onKey = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) send();
  };
  return (
    <form className={`card ${classes.composer}`} onSubmit={send}>
      <Textarea
        data-composer
        variant="unstyled"
        aria-label="What is to be done?"
        placeholder="What is to be done?"
        autosize
        minRows={3}
        maxRows={16}
        value={goal}
        onChange={(event) => change({ goal: event.currentTarget.value })}
        onKeyDown={onKey}
        classNames={{ input: classes.goal ?? '' }}
      />
      <Attached files={files} onChange={setFiles} />
      <Collapse expanded={isOpen}>
        <div className={classes.options}>
          <Select
            label="Agent"
            placeholder="Planned: whoever fits"
            clearable
            searchable
            data={agents.map((each) => ({ value: each.id, label: firstLine(each.name, 80) }))}
            value={agent}
            onChange={(agent) => change({ agent })}
          />
          <NumberInput
            label="May cost (USD)"
            placeholder="no limit"
            min={0}
            step={0.1}
            value={cost}
            onChange={(cost) => change({ cost })}
          />
          <NumberInput
            label="May take (s)"
            placeholder="no limit"
            min={1}
            value={seconds}
            onChange={(seconds) => change({ seconds })}
          />
          <Checkbox
            label="Show me the plan first"
            checked={approve}
            onChange={(event) => change({ approve: event.currentTarget.checked })}
          />
        </div>
      </Collapse>
      {submit.error && <Problem error={submit.error} />}
      <div className={classes.composerFoot}>
        <AttachButton files={files} onChange={setFiles} />
        <Button variant="subtle" color="gray" onClick={() => setOpen(!isOpen)} aria-expanded={isOpen}>
          Options
        </Button>
        <span className="dim small" style={{ marginLeft: 'auto' }}>
          Ctrl Enter
        </span>
        <Button type="submit" loading={submit.isPending} disabled={!goal.trim()}>
          Start
        </Button>
      </div>
    </form>
  );
}
