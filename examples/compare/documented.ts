/** Libraries that are not measured: what their documentation says, each cell with its source. */

interface DocumentedCell {
  readonly text: string;
  readonly url: string;
}

interface DocumentedRow {
  readonly name: string;
  /** In the order of DOCUMENTED_LIBRARIES; undefined where the documentation was not found to say anything. */
  readonly cells: readonly (DocumentedCell | undefined)[];
}

export const DOCUMENTED_LIBRARIES = ['amqp-contract', 'NServiceBus', 'MassTransit'];

/** The versions that were read, since its pages move. */
const AMQP_CONTRACT = 'https://github.com/btravstack/amqp-contract/blob';
const NSERVICEBUS = 'https://docs.particular.net';
const MASSTRANSIT = 'https://masstransit.massient.com';

export const DOCUMENTED_ROWS: readonly DocumentedRow[] = [
  {
    name: 'waits between attempts',
    cells: [
      {
        text: 'exponential; a wait queue for each distinct delay, which it declares',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      {
        text: 'linear or any delay in seconds; 28 levels of exchanges and queues, which it declares',
        url: `${NSERVICEBUS}/transports/rabbitmq/delayed-delivery`,
      },
      {
        text: 'listed intervals; by the delayed-exchange plug-in, or by queues with a time to live',
        url: `${MASSTRANSIT}/configuration/middleware/redelivery`,
      },
    ],
  },
  {
    name: 'who gives a failed message on',
    cells: [
      {
        text: 'the worker publishes it again (mode ttl-backoff)',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      {
        text: 'it is sent to the exchanges of the delay levels',
        url: `${NSERVICEBUS}/transports/rabbitmq/delayed-delivery`,
      },
      {
        text: 'it is removed from the queue and delivered to it again later',
        url: `${MASSTRANSIT}/configuration/middleware/redelivery`,
      },
    ],
  },
  {
    name: 'can a message arrive twice',
    cells: [
      {
        text: 'yes, at-least-once',
        url: `${AMQP_CONTRACT}/18b0e5ba9080c7a1355a2f7d748b502c4c02e81c/docs/explanation/delivery-guarantees.md`,
      },
      {
        text: 'yes, if the connection is lost before the acknowledgement',
        url: `${NSERVICEBUS}/transports/rabbitmq/transactions-and-delivery-guarantees`,
      },
      undefined,
    ],
  },
  {
    name: 'attempts counted by',
    cells: [
      {
        text: 'the worker, in the header x-retry-count',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      undefined,
      undefined,
    ],
  },
  {
    name: 'retries at once before delayed ones',
    cells: [
      {
        text: 'either one or the other for a queue',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      {
        text: 'yes, five by default',
        url: `${NSERVICEBUS}/nservicebus/recoverability/configure-immediate-retries`,
      },
      {
        text: 'yes, in memory',
        url: `${MASSTRANSIT}/configuration/middleware/retry`,
      },
    ],
  },
  {
    name: 'a class of errors that dead-letters at once',
    cells: [
      {
        text: 'yes, NonRetryableError',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      {
        text: 'yes, unrecoverable exceptions',
        url: `${NSERVICEBUS}/nservicebus/recoverability/custom-recoverability-policy`,
      },
      undefined,
    ],
  },
  {
    name: 'a message that does not fit the schema',
    cells: [
      {
        text: 'dead-lettered at once; any Standard Schema, at both ends',
        url: `${AMQP_CONTRACT}/0ac78b3d3852e5e7f6a60519a05afb8674f1abb0/docs/guide/error-model.md`,
      },
      {
        text: 'to the error queue at once, where it cannot be deserialized',
        url: `${NSERVICEBUS}/nservicebus/recoverability/custom-recoverability-policy`,
      },
      undefined,
    ],
  },
  {
    name: 'the error in the dead letter',
    cells: [
      {
        text: 'x-last-error after a delayed retry; none for a fatal or malformed message',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      undefined,
      {
        text: 'yes, in headers of the message in the error queue',
        url: `${MASSTRANSIT}/concepts/exceptions`,
      },
    ],
  },
  {
    name: 'a message that ends its process',
    cells: [
      {
        text: 'delivery limit of the quorum queue, by default 20',
        url: `${AMQP_CONTRACT}/0f55815fca133774102bbc3e724a9a929cdda187/docs/how-to/retry-failed-messages.md`,
      },
      {
        text: 'the transport creates a policy without a limit, which newer brokers may not respect',
        url: 'https://github.com/Particular/NServiceBus.RabbitMQ/issues/1688',
      },
      undefined,
    ],
  },
  {
    name: 'a key that nobody is bound to',
    cells: [
      undefined,
      {
        text: 'an error for commands, which are sent as mandatory',
        url: 'https://github.com/Particular/NServiceBus/issues/5180',
      },
      {
        text: 'an exception, if Mandatory is set for the message',
        url: 'https://github.com/MassTransit/MassTransit/issues/933',
      },
    ],
  },
  {
    name: 'a pause when most attempts fail',
    cells: [
      undefined,
      undefined,
      {
        text: 'yes, the kill switch, if configured',
        url: 'https://masstransit.io/documentation/configuration/middleware/filters',
      },
    ],
  },
];
