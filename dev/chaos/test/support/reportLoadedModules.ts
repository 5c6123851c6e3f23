/**
 * Preloaded into a service by `--import`: writes a line for every module of OpenTelemetry that the service loads, except
 * the API, which prom-client depends on and which does nothing without the SDK.
 */
import { registerHooks } from 'node:module';

registerHooks({
  load: (url, context, nextLoad) => {
    if (/\/@opentelemetry\/(?!api\/)/.test(url)) process.stderr.write(`loaded module ${url}\n`);
    return nextLoad(url, context);
  },
});
