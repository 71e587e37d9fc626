// A search: what is typed stands in the address a moment later, and the field follows the address.
import { TextInput } from '@mantine/core';
import { useDebouncedCallback } from '@mantine/hooks';
import { type ReactNode, useEffect, useRef, useState } from 'react';
import { Icon } from './icons';

interface Props {
  label: string;
  placeholder: string;
  value: string;
  onSearch: (q: string | undefined) => void;
}

export function SearchField({ label, placeholder, value, onSearch }: Props): ReactNode {
  const [typed, setTyped] = useState(value);
  const sent = useRef(value);
  const send = useDebouncedCallback((q: string) => {
    sent.current = q;
    onSearch(q || undefined);
  }, 250);
  useEffect(() => {
    // Not what was typed here, which may have gone on since: a link, or back and forward.
    if (value !== sent.current) setTyped(value);
    sent.current = value;
  }, [value]);
  return (
    <TextInput
      data-search
      type="search"
      aria-label={label}
      placeholder={placeholder}
      leftSection={<Icon name="search" size={15} />}
      value={typed}
      onChange={(event) => {
        setTyped(event.currentTarget.value);
        send(event.currentTarget.value);
      }}
    />
  );
}
