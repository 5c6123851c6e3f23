/**
 * The priority lane: quorum queues from RabbitMQ 4.0 on have two, with no argument of their own. There a priority above 4 is
 * the upper lane, served 2 : 1; from 4.3 on it strictly comes first (RabbitMQ, quorum queues, priorities).
 */
export const URGENT_PRIORITY = 9;
const LARGEST_NORMAL_PRIORITY = 4;

export function isUrgent(priority: unknown): boolean {
  return typeof priority === 'number' && priority > LARGEST_NORMAL_PRIORITY;
}
