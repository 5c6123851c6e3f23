import { defineConfig } from 'vitepress';

export default defineConfig({
  title: '@fit/topology',
  description:
    'Retries and dead letters on RabbitMQ, by the broker alone, proved before they are applied.',
  srcDir: 'build/pages',
  outDir: 'build/dist',
  cacheDir: 'build/cache',
  cleanUrls: true,
  // The search index of the reference is large, and is loaded when somebody searches.
  vite: { build: { chunkSizeWarningLimit: 5_000 } },
  themeConfig: {
    search: { provider: 'local' },
    outline: [2, 3],
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Recipes', link: '/recipes/' },
      { text: 'Reference', link: '/api/' },
    ],
    sidebar: [
      {
        text: 'Learn',
        items: [
          { text: 'Five-minute start', link: '/start' },
          { text: 'Concepts', link: '/concepts' },
          { text: 'Examples', link: '/examples' },
          { text: 'Testing', link: '/testing' },
          { text: 'Operating', link: '/operating' },
          { text: 'Jobs in a database', link: '/jobs' },
        ],
      },
      {
        text: 'Recipes',
        items: [
          { text: 'All recipes', link: '/recipes/' },
          { text: 'Delayed jobs', link: '/recipes/delayed-jobs' },
          { text: 'Poison messages', link: '/recipes/poison-messages' },
          { text: 'Change waits in production', link: '/recipes/change-of-tiers' },
          { text: 'Traces and metrics with OpenTelemetry', link: '/recipes/opentelemetry' },
          {
            text: 'From a dead-letter exchange by hand',
            link: '/recipes/from-dead-letter-exchange',
          },
          { text: 'From rascal', link: '/recipes/from-rascal' },
          { text: 'From amqp-connection-manager', link: '/recipes/from-amqp-connection-manager' },
          { text: 'From a Celery countdown', link: '/recipes/from-celery' },
        ],
      },
      {
        text: 'Look up',
        items: [
          { text: 'Failure model', link: '/failure-model' },
          { text: 'Comparison', link: '/comparison' },
          { text: 'API reference', link: '/api/' },
          { text: 'Codes of errors', link: '/codes' },
        ],
      },
    ],
  },
});
