import { describe, expect, it, vi } from 'vitest';
import type { JsonObject } from '../../api/types';
import { fieldOf, given, hasField, initial, missing, toLocal, toMoment } from './schema';

const TRIP: JsonObject = {
  type: 'object',
  required: ['city', 'nights'],
  properties: {
    nights: { type: 'integer', minimum: 1 },
    city: { type: 'string' },
    class: { enum: ['economy', 'business'], default: 'economy' },
    contact: { $ref: '#/$defs/contact' },
    guests: { type: 'array', items: { type: 'object', required: ['name'], properties: { name: { type: 'string' } } } },
    tags: { type: 'array', items: { enum: ['a', 'b'] } },
    when: { anyOf: [{ type: 'string', format: 'date' }, { type: 'null' }] },
  },
  $defs: {
    contact: { type: 'object', required: ['email'], properties: { email: { type: 'string', format: 'email' } } },
  },
};

function kind(name: string): string {
  return fieldOf((TRIP.properties as JsonObject)[name] as JsonObject, TRIP).kind;
}

describe('a form', () => {
  it('has a field for each property, the required ones first', () => {
    const field = fieldOf(TRIP, TRIP);
    expect(field.kind === 'object' && field.properties.map(([name]) => name).slice(0, 2)).toEqual(['city', 'nights']);
    expect(['nights', 'city', 'class', 'contact', 'guests', 'tags', 'when'].map(kind)).toEqual([
      'number',
      'text',
      'choice',
      'object',
      'list',
      'choices',
      'text',
    ]);
  });

  it('begins with the defaults', () => {
    expect(initial(TRIP, TRIP)).toEqual({ class: 'economy', contact: {} });
  });

  it('sends only what was given', () => {
    expect(given({ city: '', contact: { email: '' }, insured: false, nights: 0 })).toEqual({
      insured: false,
      nights: 0,
    });
  });

  it('says which required fields are empty, deep down too', () => {
    expect(missing(TRIP, TRIP, { city: 'Oslo' })).toEqual(['#/data/nights']);
    expect(missing(TRIP, TRIP, { city: 'Oslo', nights: 1, guests: [{ name: 'Ada' }, {}] })).toEqual([
      '#/data/guests/1/name',
    ]);
    expect(missing(TRIP, TRIP, { city: 'Oslo', nights: 1, contact: { email: '' } })).toEqual([]);
  });

  it('asks for JSON where the schema goes in circles or says nothing', () => {
    const circle: JsonObject = { $ref: '#/$defs/node', $defs: { node: { $ref: '#/$defs/node' } } };
    expect(fieldOf(circle, circle).kind).toBe('json');
    const tree: JsonObject = { type: 'object', properties: { child: { $ref: '#' } } };
    expect(() => initial(tree, tree)).not.toThrow();
  });

  it('knows which faults its fields can say', () => {
    const said = ['#/data', '#/data/city', '#/data/contact/email', '#/data/guests/0/name'];
    const unsaid = ['#/data/contact', '#/data/guests/0', '#/data/city/more', '#/data/nothing', '#/comment'];
    expect([...said, ...unsaid].filter((pointer) => hasField(TRIP, TRIP, pointer))).toEqual(said);
  });

  it('keeps a moment as it is typed, digit by digit of its year, wherever one is', () => {
    for (const zone of ['UTC', 'Europe/Berlin', 'Asia/Kolkata']) {
      vi.stubEnv('TZ', zone);
      for (const year of ['0002', '0020', '0202', '2026', '12026']) {
        const typed = `${year}-11-23T10:30`;
        expect(toLocal(toMoment(typed))).toBe(typed);
      }
      expect([toMoment('999999-01-01T00:00'), toLocal('tomorrow')]).toEqual(['', '']);
    }
    expect(toMoment('2026-11-23T10:30')).toBe('2026-11-23T05:00:00.000Z');
    vi.unstubAllEnvs();
  });
});
