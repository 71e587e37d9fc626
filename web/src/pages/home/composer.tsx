// Where a task begins: the goal, and if wanted an agent, a budget, files, and a look at the plan first.
import { Button, Checkbox, Collapse, NumberInput, Select, Textarea } from '@mantine/core';
import { useMutation, useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { type FormEvent, type KeyboardEvent, type ReactNode, useState } from 'react';
import { agentsQuery } from '../../api/agents';
import { submitTask } from '../../api/tasks';
import { AttachButton, Attached } from '../../ui/attach';
import { Problem } from '../../ui/feedback';
import { toNewFile } from '../../ui/files';
import { firstLine } from '../../ui/text';
import classes from './home.module.css';

export function Composer({ goal: begin, agent: chosen }: { goal: string; agent: string | null }): ReactNode {
  const [goal, setGoal] = useState(begin);
  const [files, setFiles] = useState<readonly File[]>([]);
  const [agent, setAgent] = useState<string | null>(chosen);
  const [approve, setApprove] = useState(false);
  // Texts while they are typed, "0.50" for one.
  const [cost, setCost] = useState<number | string>('');
  const [seconds, setSeconds] = useState<number | string>('');
  const [isOpen, setOpen] = useState(chosen !== null);
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
    onSuccess: (task) => void navigate({ to: '/tasks/$taskId', params: { taskId: task.id } }),
  });
  const send = (event?: FormEvent): void => {
    event?.preventDefault();
    if (goal.trim() && !submit.isPending) submit.mutate();
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
        onChange={(event) => setGoal(event.currentTarget.value)}
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
            onChange={setAgent}
          />
          <NumberInput
            label="May cost (USD)"
            placeholder="no limit"
            min={0}
            step={0.1}
            value={cost}
            onChange={setCost}
          />
          <NumberInput label="May take (s)" placeholder="no limit" min={1} value={seconds} onChange={setSeconds} />
          <Checkbox
            label="Show me the plan first"
            checked={approve}
            onChange={(event) => setApprove(event.currentTarget.checked)}
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
