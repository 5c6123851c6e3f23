/** Bodies and queries of the API. */
import { z } from 'zod';

export const userSchema = z.strictObject({ name: z.string().min(1).max(200), email: z.email() });
export const categorySchema = z.strictObject({ name: z.string().min(1).max(200) });
export const taskSchema = z.strictObject({
  title: z.string().min(1).max(200),
  description: z.string().max(10_000),
  status: z.enum(['todo', 'in_progress', 'done']),
  userId: z.uuid(),
  categoryId: z.uuid().optional(),
});
/** Any of the fields. */
export const taskChangeSchema = taskSchema.partial();
export const taskFilterSchema = taskSchema
  .pick({ status: true, userId: true, categoryId: true })
  .partial();
