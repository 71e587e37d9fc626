// Pure: reads the part of JSON Schema that forms are made of.
import type { Json, JsonObject } from '../../api/types';

export interface Choice {
  value: Json;
  label: string;
}

export type Field =
  | { kind: 'text'; format: 'line' | 'lines' | 'date' | 'datetime-local' | 'time' | 'email' | 'url' }
  | { kind: 'number'; whole: boolean; min?: number | undefined; max?: number | undefined }
  | { kind: 'boolean' }
  | { kind: 'choice'; choices: Choice[] }
  | { kind: 'choices'; choices: Choice[] }
  | { kind: 'list'; item: JsonObject; most: number }
  | { kind: 'object'; properties: [name: string, schema: JsonObject, required: boolean][] }
  | { kind: 'json' };

const DEEPEST = 6;

/** Says which field a schema asks for; what cannot be asked for otherwise is asked for as JSON. */
export function fieldOf(schema: JsonObject, root: JsonObject, depth = 0): Field {
  const own = resolve(schema, root);
  const choices = choicesOf(own, root);
  if (choices) return { kind: 'choice', choices };
  if (depth > DEEPEST) return { kind: 'json' };
  switch (typeOf(own)) {
    case 'string':
      return { kind: 'text', format: formatOf(own) };
    case 'integer':
    case 'number':
      return {
        kind: 'number',
        whole: typeOf(own) === 'integer',
        min: numberIn(own.minimum),
        max: numberIn(own.maximum),
      };
    case 'boolean':
      return { kind: 'boolean' };
    case 'array': {
      const item = asObject(own.items);
      if (!item) return { kind: 'json' };
      const several = choicesOf(resolve(item, root), root);
      if (several && own.uniqueItems !== false) return { kind: 'choices', choices: several };
      return { kind: 'list', item, most: numberIn(own.maxItems) ?? 100 };
    }
    case 'object': {
      const properties = asObject(own.properties);
      if (!properties) return { kind: 'json' };
      // A2A's JSON does not keep the order of keys, but that of lists: what is required comes first, as it is listed.
      const required = Array.isArray(own.required) ? own.required.filter((name) => typeof name === 'string') : [];
      const names = [...new Set([...required.filter((name) => name in properties), ...Object.keys(properties)])];
      return {
        kind: 'object',
        properties: names.map((name) => [name, asObject(properties[name]) ?? {}, required.includes(name)]),
      };
    }
    default:
      return { kind: 'json' };
  }
}

/** The schema itself, or what its `$ref` names within the same document, or its one alternative that is not null. */
export function resolve(schema: JsonObject, root: JsonObject, hops = 0): JsonObject {
  if (hops > 8) return {};
  if (typeof schema.$ref === 'string' && schema.$ref.startsWith('#/')) {
    let found: Json | undefined = root;
    for (const part of schema.$ref.slice(2).split('/')) {
      found = asObject(found)?.[part.replaceAll('~1', '/').replaceAll('~0', '~')];
    }
    const { $ref: _, ...rest } = schema;
    return { ...resolve(asObject(found) ?? {}, root, hops + 1), ...rest };
  }
  for (const key of ['anyOf', 'oneOf', 'allOf']) {
    const options = schema[key];
    if (!Array.isArray(options)) continue;
    const real = options.map(asObject).filter((each): each is JsonObject => each !== null && each.type !== 'null');
    if (real.length === 1 && real[0]) {
      const { [key]: _, ...rest } = schema;
      return { ...resolve(real[0], root, hops + 1), ...rest };
    }
  }
  return schema;
}

/** What a form begins with: the defaults, and nothing for the rest. */
export function initial(schema: JsonObject, root: JsonObject, depth = 0): Json | undefined {
  const own = resolve(schema, root);
  if (own.default !== undefined) return own.default;
  if (own.const !== undefined) return own.const;
  const field = fieldOf(own, root, depth);
  if (field.kind !== 'object') return undefined;
  const value: JsonObject = {};
  for (const [name, each] of field.properties) {
    const inner = initial(each, root, depth + 1);
    if (inner !== undefined) value[name] = inner;
  }
  return value;
}

/** What keeps a text from being sent as a number; null: nothing. */
export function numberProblem(typed: string): string | null {
  const number = Number(typed);
  if (!Number.isFinite(number)) return 'This is not a number.';
  const isRounded = /^[+-]?\d+$/.test(typed) && BigInt(typed) !== BigInt(number);
  return isRounded ? `A number this long would be rounded, here to ${BigInt(number)}.` : null;
}

/** The value as it is sent: without empty texts and empty objects, which mean that nothing was given. */
export function given(value: Json | undefined): Json | undefined {
  if (value === '' || value === undefined) return undefined;
  if (Array.isArray(value)) return value.map((each) => given(each) ?? null);
  if (value !== null && typeof value === 'object') {
    const kept = Object.entries(value).flatMap(([name, each]) => {
      const inner = given(each);
      return inner === undefined ? [] : [[name, inner] as const];
    });
    return kept.length === 0 && Object.keys(value).length > 0 ? undefined : Object.fromEntries(kept);
  }
  return value;
}

/** The pointers of required fields that are empty. */
export function missing(
  schema: JsonObject,
  root: JsonObject,
  value: Json | undefined,
  at = '#/data',
  depth = 0,
): string[] {
  const field = fieldOf(schema, root, depth);
  if (field.kind === 'list' && Array.isArray(value)) {
    return value.flatMap((each, place) => missing(field.item, root, each, `${at}/${place}`, depth + 1));
  }
  if (field.kind !== 'object') return [];
  const inside = asObject(value) ?? {};
  return field.properties.flatMap(([name, each, required]) => {
    const pointer = `${at}/${pointerPart(name)}`;
    const inner = inside[name];
    const isGiven = given(inner) !== undefined;
    if (!isGiven && !required) return [];
    const isObject = fieldOf(each, root, depth + 1).kind === 'object';
    return isGiven || isObject ? missing(each, root, inner, pointer, depth + 1) : [pointer];
  });
}

/** Whether a form of the schema has a field that says what is wrong at `pointer`. */
export function hasField(schema: JsonObject, root: JsonObject, pointer: string, at = '#/data', depth = 0): boolean {
  const field = fieldOf(schema, root, depth);
  if (pointer === at) return depth === 0 || field.kind !== 'object';
  if (!pointer.startsWith(`${at}/`)) return false;
  if (field.kind === 'list') {
    const [place] = pointer.slice(at.length + 1).split('/');
    return hasField(field.item, root, pointer, `${at}/${place}`, depth + 1);
  }
  if (field.kind !== 'object') return false;
  return field.properties.some(([name, each]) =>
    hasField(each, root, pointer, `${at}/${pointerPart(name)}`, depth + 1),
  );
}

/** What a field for date and time shows of a moment; nothing where it is none. */
export function toLocal(moment: string): string {
  const at = new Date(moment);
  if (Number.isNaN(at.getTime())) return '';
  const [year, ...rest] = [at.getFullYear(), at.getMonth() + 1, at.getDate(), at.getHours(), at.getMinutes()];
  const [month, day, hour, minute] = rest.map((each) => String(each).padStart(2, '0'));
  return `${String(year).padStart(4, '0')}-${month}-${day}T${hour}:${minute}`;
}

/** The moment that such a field holds; nothing where it is beyond what can be told. */
export function toMoment(local: string): string {
  // Years of more than four digits are read only with a sign and six of them.
  const at = new Date(local.replace(/^\d{5,6}(?=-)/, (year) => `+${year.padStart(6, '0')}`));
  return Number.isNaN(at.getTime()) ? '' : at.toISOString();
}

export function pointerPart(name: string): string {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

export function asObject(value: Json | undefined): JsonObject | null {
  return value !== undefined && value !== null && typeof value === 'object' && !Array.isArray(value) ? value : null;
}

function typeOf(schema: JsonObject): string {
  const type = Array.isArray(schema.type) ? schema.type.find((each) => each !== 'null') : schema.type;
  if (typeof type === 'string') return type;
  if (schema.properties) return 'object';
  return schema.items ? 'array' : '';
}

function choicesOf(schema: JsonObject, root: JsonObject): Choice[] | null {
  if (Array.isArray(schema.enum)) {
    const names = Array.isArray(schema.enumNames) ? schema.enumNames : [];
    return schema.enum.map((value, place) => ({ value, label: String(names[place] ?? value) }));
  }
  for (const options of [schema.oneOf, schema.anyOf]) {
    if (!Array.isArray(options) || options.length < 2) continue;
    const found = options.map((each) => resolve(asObject(each) ?? {}, root));
    if (found.every((each) => each.const !== undefined)) {
      return found.map((each) => ({ value: each.const as Json, label: String(each.title ?? each.const) }));
    }
  }
  return null;
}

function formatOf(schema: JsonObject): Extract<Field, { kind: 'text' }>['format'] {
  switch (schema.format) {
    case 'date':
      return 'date';
    case 'date-time':
      return 'datetime-local';
    case 'time':
      return 'time';
    case 'email':
      return 'email';
    case 'uri':
      return 'url';
    default:
      return (numberIn(schema.maxLength) ?? 0) > 200 || schema.format === 'textarea' || schema.contentMediaType
        ? 'lines'
        : 'line';
  }
}

function numberIn(value: Json | undefined): number | undefined {
  return typeof value === 'number' ? value : undefined;
}
