// Headers that go with every call to an agent. They are stored encrypted and never shown again.
import { ActionIcon, Button, Group, PasswordInput, Stack, TextInput } from '@mantine/core';
import { useMutation } from '@tanstack/react-query';
import { type ReactNode, useState } from 'react';
import { setCredentials } from '../../api/agents';
import { Confirm } from '../../ui/confirm';
import { Problem } from '../../ui/feedback';
import { Icon } from '../../ui/icons';

export type Headers = readonly (readonly [name: string, value: string])[];

export function toHeaders(headers: Headers): Record<string, string> {
  return Object.fromEntries(headers.filter(([name]) => name.trim() !== ''));
}

export function HeaderFields(props: { headers: Headers; onChange: (headers: Headers) => void }): ReactNode {
  const { headers, onChange } = props;
  const replace = (place: number, name: string, value: string): void =>
    onChange(headers.map((each, index) => (index === place ? ([name, value] as const) : each)));
  return (
    <fieldset style={{ border: 0, padding: 0, margin: 0, minWidth: 0 }}>
      <legend style={{ padding: 0, fontWeight: 500 }}>Credentials</legend>
      <Stack gap="xs" mt={6}>
        {headers.map(([name, value], place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: a header has no name while it is typed
          <Group key={place} gap="xs" wrap="nowrap">
            <TextInput
              aria-label="Header"
              placeholder="Authorization"
              value={name}
              onChange={(event) => replace(place, event.currentTarget.value, value)}
            />
            <PasswordInput
              aria-label="Value"
              placeholder="Bearer …"
              autoComplete="off"
              style={{ flex: 1 }}
              value={value}
              onChange={(event) => replace(place, name, event.currentTarget.value)}
            />
            <ActionIcon
              variant="default"
              size={36}
              aria-label="Remove the header"
              onClick={() => onChange(headers.filter((_, index) => index !== place))}
            >
              <Icon name="cross" size={14} />
            </ActionIcon>
          </Group>
        ))}
        <div>
          <Button
            variant="default"
            size="compact-sm"
            leftSection={<Icon name="plus" size={13} />}
            onClick={() => onChange([...headers, [headers.length ? '' : 'Authorization', '']])}
          >
            Add a header
          </Button>
        </div>
      </Stack>
    </fieldset>
  );
}

export function Credentials({ agentId }: { agentId: string }): ReactNode {
  const [headers, setHeaders] = useState<Headers>([]);
  const [asks, setAsks] = useState(false);
  const save = useMutation({
    mutationFn: () => setCredentials(agentId, toHeaders(headers)),
    onSuccess: () => {
      setHeaders([]);
      remove.reset();
    },
  });
  const remove = useMutation({
    mutationFn: () => setCredentials(agentId, {}),
    onSuccess: () => {
      setAsks(false);
      save.reset();
    },
  });
  return (
    <div style={{ maxWidth: 620 }}>
      <p className="dim" style={{ marginTop: 0 }}>
        What is saved here goes with every call to this agent, in place of what was saved before. It is stored encrypted
        and not shown again.
      </p>
      <HeaderFields headers={headers} onChange={setHeaders} />
      {save.error && <Problem error={save.error} />}
      <Group mt="md">
        <Button
          loading={save.isPending}
          disabled={Object.keys(toHeaders(headers)).length === 0}
          onClick={() => save.mutate()}
        >
          Save
        </Button>
        <Button variant="default" onClick={() => setAsks(true)}>
          Remove what is saved
        </Button>
        <span className="dim" role="status">
          {save.isSuccess && 'Saved.'}
          {remove.isSuccess && 'Removed.'}
        </span>
      </Group>
      {asks && (
        <Confirm
          title="Remove what is saved?"
          no="Keep it"
          yes="Remove"
          isBusy={remove.isPending}
          error={remove.error}
          onNo={() => setAsks(false)}
          onYes={() => remove.mutate()}
        >
          The agent is called without credentials from then on.
        </Confirm>
      )}
    </div>
  );
}
