/** Instants in requests. Pure. */
import { isCalendarDay } from '@fit/contract';
import { invalidInput } from '@fit/service';
import Type from 'typebox';

/** An instant with its zone; a day alone means its beginning in UTC. `instantOf` checks that it exists. */
export const Instant = Type.String({
  pattern: String.raw`^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d{1,3})?)?(Z|[+-]\d{2}:\d{2}))?$`,
  maxLength: 29,
  examples: ['2026-12-01T03:00:00Z', '2026-12-01'],
});

const DAY_CHARS = 10;

/**
 * @param field names the value in the problem, such as `query.from`.
 * @throws Problem 400 `invalid_input` for an instant that does not exist, such as one of 30 February, and for one before 1970.
 */
export function instantOf(field: string, text: string): Date {
  const instant = new Date(text);
  // Date moves a day that does not exist into the next month.
  if (isCalendarDay(text.slice(0, DAY_CHARS)) && instant.getTime() >= 0) return instant;
  throw invalidInput(field, `${text} is no instant since 1970`);
}
