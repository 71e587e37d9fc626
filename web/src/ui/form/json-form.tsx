// A form made of a JSON Schema. The schema is another's: its texts are shown, never obeyed.
import {
  Button,
  Checkbox,
  Fieldset,
  Group,
  MultiSelect,
  NumberInput,
  type NumberInputProps,
  Select,
  Stack,
  Textarea,
  type TextareaProps,
  TextInput,
  type TextInputProps,
} from '@mantine/core';
import { type ReactNode, useRef, useState } from 'react';
import type { Json, JsonObject } from '../../api/types';
import { Icon } from '../icons';
import { Markdown } from '../markdown';
import { plain } from '../text';
import {
  asObject,
  type Choice,
  fieldOf,
  initial,
  numberProblem,
  pointerPart,
  resolve,
  toLocal,
  toMoment,
} from './schema';

interface Props {
  schema: JsonObject;
  root: JsonObject;
  value: Json | undefined;
  onChange: (value: Json | undefined) => void;
  errors: ReadonlyMap<string, string>;
  at?: string;
  name?: string;
  required?: boolean;
  depth?: number;
}

const NO_DATE = 'Give a whole date or time, the year with four digits.';

export default function JsonForm(props: Props): ReactNode {
  const { root, value, onChange, errors, at = '#/data', name = '', required = false, depth = 0 } = props;
  const schema = resolve(props.schema, root);
  const field = fieldOf(schema, root, depth);
  const label = plain(String(schema.title ?? name)) || undefined;
  const description = typeof schema.description === 'string' ? <Markdown text={schema.description} /> : undefined;
  const common = { label, description, error: errors.get(at), withAsterisk: required, 'aria-label': label ?? 'Answer' };

  switch (field.kind) {
    case 'text': {
      const current = typeof value === 'string' ? value : '';
      if (field.format === 'lines') {
        return (
          <Textarea
            {...common}
            autosize
            minRows={3}
            maxRows={14}
            value={current}
            onChange={(event) => onChange(event.currentTarget.value)}
          />
        );
      }
      const isMoment = field.format === 'datetime-local';
      return (
        <LineText
          {...common}
          type={field.format === 'line' ? 'text' : field.format}
          max={isMoment ? '9999-12-31T23:59' : field.format === 'date' ? '9999-12-31' : undefined}
          value={isMoment ? toLocal(current) : current}
          onChange={(event) => {
            const typed = event.currentTarget.value;
            onChange(isMoment && typed ? toMoment(typed) : typed);
          }}
        />
      );
    }
    case 'number':
      return (
        <NumberText
          {...common}
          value={typeof value === 'number' ? value : ''}
          allowDecimal={!field.whole}
          onChange={onChange}
          {...(field.min !== undefined && { min: field.min })}
          {...(field.max !== undefined && { max: field.max })}
        />
      );
    case 'boolean':
      return (
        <Checkbox
          label={label}
          description={description}
          error={errors.get(at)}
          aria-label={label ?? 'Answer'}
          checked={value === true}
          onChange={(event) => onChange(event.currentTarget.checked)}
        />
      );
    case 'choice':
      return (
        <Select
          {...common}
          data={options(field.choices)}
          value={keyOf(field.choices, value)}
          clearable={!required}
          searchable={field.choices.length > 8}
          onChange={(key) => onChange(key === null ? undefined : field.choices[Number(key)]?.value)}
        />
      );
    case 'choices': {
      const current = Array.isArray(value) ? value : [];
      return (
        <MultiSelect
          {...common}
          data={options(field.choices)}
          value={current.flatMap((each) => keyOf(field.choices, each) ?? [])}
          onChange={(keys) => onChange(keys.flatMap((key) => field.choices[Number(key)]?.value ?? []))}
        />
      );
    }
    case 'list': {
      const items = Array.isArray(value) ? value : [];
      const replace = (place: number, next: Json | undefined): void =>
        onChange(items.map((each, index) => (index === place ? (next ?? null) : each)));
      return (
        <Fieldset legend={label} radius="md">
          {description}
          <Stack gap="xs">
            {items.map((each, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: items have no other name
              <Group key={place} align="flex-end" wrap="nowrap" gap="xs">
                <div style={{ flex: 1, minWidth: 0 }}>
                  <JsonForm
                    schema={field.item}
                    root={root}
                    value={each}
                    onChange={(next) => replace(place, next)}
                    errors={errors}
                    at={`${at}/${place}`}
                    name={`${place + 1}`}
                    depth={depth + 1}
                  />
                </div>
                <Button
                  variant="default"
                  px={9}
                  aria-label={`Remove ${place + 1}`}
                  onClick={() => onChange(items.filter((_, index) => index !== place))}
                >
                  <Icon name="cross" size={14} />
                </Button>
              </Group>
            ))}
            {errors.get(at) && <div style={{ color: 'var(--st-failed)' }}>{errors.get(at)}</div>}
            <div>
              <Button
                variant="default"
                size="compact-sm"
                disabled={items.length >= field.most}
                leftSection={<Icon name="plus" size={14} />}
                onClick={() => onChange([...items, initial(field.item, root, depth + 1) ?? blankOf(field.item, root)])}
              >
                Add
              </Button>
            </div>
          </Stack>
        </Fieldset>
      );
    }
    case 'object': {
      const inside = asObject(value ?? null) ?? {};
      const fields = (
        <Stack gap="sm">
          {field.properties.map(([key, each, needed]) => (
            <JsonForm
              key={key}
              schema={each}
              root={root}
              value={inside[key]}
              onChange={(next) => {
                const { [key]: _, ...rest } = inside;
                onChange(next === undefined ? rest : { ...inside, [key]: next });
              }}
              errors={errors}
              at={`${at}/${pointerPart(key)}`}
              name={key}
              required={needed}
              depth={depth + 1}
            />
          ))}
        </Stack>
      );
      if (depth === 0) {
        return (
          <>
            {description}
            {fields}
          </>
        );
      }
      return (
        <Fieldset legend={label} radius="md">
          {description}
          {fields}
        </Fieldset>
      );
    }
    case 'json':
      return (
        <JsonText {...common} begin={value === undefined ? '' : JSON.stringify(value, null, 2)} onChange={onChange} />
      );
  }
}

/** A field for a line, a date, a time: it says so when it is sent while it holds no whole one. */
function LineText({ onChange, error, ...common }: TextInputProps): ReactNode {
  const [isWrong, setWrong] = useState(false);
  return (
    <TextInput
      {...common}
      error={isWrong ? NO_DATE : error}
      onInvalid={() => setWrong(true)}
      onChange={(event) => {
        setWrong(false);
        onChange?.(event);
      }}
    />
  );
}

/** A field for a number. What is none, or would be rounded, stays as it was typed and is not sent. */
function NumberText(props: Omit<NumberInputProps, 'onChange'> & { onChange: Props['onChange'] }): ReactNode {
  const { onChange, value, error, ...common } = props;
  const field = useRef<HTMLInputElement>(null);
  const [refused, setRefused] = useState<string | null>(null);
  const [wrong, setWrong] = useState('');
  return (
    <NumberInput
      {...common}
      ref={field}
      value={refused ?? value ?? ''}
      error={wrong || error}
      clampBehavior="none"
      trimLeadingZeroesOnBlur={false} // which would round
      onInvalid={({ currentTarget }) => setWrong(currentTarget.validationMessage)}
      onChange={(typed) => {
        const problem = numberProblem(String(typed));
        field.current?.setCustomValidity(problem ?? '');
        setRefused(problem === null ? null : String(typed));
        setWrong('');
        onChange(problem !== null || typed === '' ? undefined : Number(typed));
      }}
    />
  );
}

/** A field for JSON. While it holds none, the form is not sent, and the field says so then: not when one leaves it, for
 * what stands below would move away under the click. */
function JsonText(props: Omit<TextareaProps, 'onChange'> & { begin: string; onChange: Props['onChange'] }): ReactNode {
  const { begin, onChange, error, ...common } = props;
  const [wrong, setWrong] = useState('');
  return (
    <Textarea
      {...common}
      autosize
      minRows={3}
      maxRows={14}
      autoComplete="off"
      styles={{ input: { fontFamily: 'var(--mantine-font-family-monospace)' } }}
      defaultValue={begin}
      error={wrong || error}
      onInvalid={({ currentTarget }) => setWrong(currentTarget.validationMessage)}
      onInput={({ currentTarget }) => {
        const parsed = parse(currentTarget.value);
        currentTarget.setCustomValidity(parsed.problem ?? '');
        if (parsed.problem !== null) return;
        setWrong('');
        onChange(parsed.value);
      }}
    />
  );
}

function parse(typed: string): { problem: null; value: Json | undefined } | { problem: string } {
  let problem: string | null = null;
  const look = (_: string, value: unknown, context?: { source?: string }): unknown => {
    if (typeof value === 'number' && context?.source) problem ??= numberProblem(context.source);
    return value;
  };
  try {
    const value = typed.trim() === '' ? undefined : (JSON.parse(typed, look) as Json);
    return problem === null ? { problem, value } : { problem };
  } catch {
    return { problem: 'This is not valid JSON.' };
  }
}

function options(choices: Choice[]): { value: string; label: string }[] {
  return choices.map((choice, place) => ({ value: String(place), label: plain(choice.label) }));
}

function keyOf(choices: Choice[], value: Json | undefined): string | null {
  const place = choices.findIndex((choice) => JSON.stringify(choice.value) === JSON.stringify(value));
  return place < 0 ? null : String(place);
}

function blankOf(schema: JsonObject, root: JsonObject): Json {
  switch (fieldOf(schema, root).kind) {
    case 'object':
      return {};
    case 'list':
    case 'choices':
      return [];
    case 'text':
      return '';
    default:
      return null;
  }
}
