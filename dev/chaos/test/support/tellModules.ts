/**
 * Loaded before a service by `--import`: writes a line for every module of OpenTelemetry that it loads, but for the API,
 * which prom-client brings along and which does nothing by itself.
 */
import { registerHooks } from 'node:module';

registerHooks({
  load: (url, context, nextLoad) => {
    if (/\/@opentelemetry\/(?!api\/)/.test(url)) process.stderr.write(`telling: loaded ${url}\n`);
    return nextLoad(url, context);
  },
});
