/**
 * Types of the reply to `GET /status`, with the fields that the page uses.
 *
 * @typedef {object} Freshness
 * @property {boolean} isStale
 * @property {string | null} unknownSince
 * @property {string | null} reason
 *
 * @typedef {object} Run
 * @property {string} runId
 * @property {string} state
 * @property {boolean} isForEveryone
 * @property {number} [total] absent until the users are counted.
 * @property {number} expanded users whose jobs are recorded.
 * @property {Record<string, number>} causes
 * @property {number} ratePerSecond
 * @property {number} [etaSeconds]
 *
 * @typedef {object} Today
 * @property {Freshness} freshness
 * @property {string} date
 * @property {'served' | 'running' | 'incomplete' | 'none' | 'unknown'} verdict
 * @property {number} served
 * @property {number} total
 * @property {Record<string, number>} missing
 * @property {Run | null} run
 * @property {{ pending: number, oldestAgeSeconds: number } | null} outbox
 *
 * @typedef {object} Alert
 * @property {string} name
 * @property {string} severity
 * @property {string} summary
 * @property {string} subject
 * @property {string} since
 * @property {string | null} runbookUrl
 * @property {string | null} suppression
 *
 * @typedef {object} Alerts
 * @property {Freshness} freshness
 * @property {boolean} isEvaluated
 * @property {Alert[]} firing
 * @property {Alert[]} pending
 * @property {number} unlistedCount
 *
 * @typedef {object} Queue
 * @property {string} name
 * @property {'main' | 'wait' | 'dlq'} role
 * @property {number} tier
 * @property {'present' | 'missing' | 'unknown'} presence
 * @property {number | null} ready
 * @property {number | null} unacked
 * @property {number | null} awaitingTransfer
 * @property {number | null} countedByLimit
 * @property {number | null} limit
 * @property {number | null} limitInForce
 * @property {boolean} hasLimitDrift
 * @property {number | null} fillRatio
 * @property {{ since: string, reason: string } | null} paused since when and why its workers take nothing
 * @property {number | null} timeToFullSeconds
 * @property {number | null} consumers
 * @property {number | null} ttlSeconds
 * @property {number | null} inPerSecond
 * @property {number | null} outPerSecond
 * @property {number | null} netPerSecond
 * @property {number | null} oldestAgeSeconds
 *
 * @typedef {object} Queues
 * @property {'management' | 'amqp' | null} source
 * @property {Freshness} freshness
 * @property {Queue[]} queues
 *
 * @typedef {object} Status
 * @property {string} at
 * @property {Today} today
 * @property {Alerts} alerts
 * @property {Queues} queues
 */

export {};
